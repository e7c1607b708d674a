"""Drills: what must come of a bad release, held against what came of it. Pure."""
