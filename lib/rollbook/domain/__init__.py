"""The vocabulary of a release: frozen dataclasses from the standard library alone, no IO and no clock."""
