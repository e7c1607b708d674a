"""Helm: add-ons of a cluster as pinned releases, installed and removed in order."""
