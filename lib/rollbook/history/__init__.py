"""Runs over time: what changed between two of them, and the page of all runs beneath a folder."""
