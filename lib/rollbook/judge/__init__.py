"""Judges a canary by counting: figures of stable and canary in, a verdict that holds whenever it is looked
at out.

No IO, no clock, no libraries but numpy. docs/judge.md has the reasoning, the sources and what was measured.
"""
