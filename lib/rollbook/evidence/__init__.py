"""The record of a run: an append-only journal and the folder that holds everything that was seen."""
