"""A phase that was done again has entries of several attempts in the journal: the last one counts."""

from __future__ import annotations

from collections.abc import Sequence

from rollbook.evidence.journal import Entry, Kind


def latest_attempts(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries without those of a phase's earlier attempts; their order is kept."""
    begun = {
        entry.phase: entry.seq
        for entry in entries
        if entry.kind is Kind.RUN and entry.name == "phase started"
    }
    return tuple(entry for entry in entries if entry.seq >= begun.get(entry.phase, 0))
