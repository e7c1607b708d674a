"""When users were sent where: the stretches of one weight, from the journal's decisions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rollbook.domain.accounting import SETTLING_S, WeightInterval
from rollbook.evidence.journal import Entry, Kind

SHORTEST_S = SETTLING_S + 1.5
"""A stretch shorter than this has too few requests after settling to say anything."""
STEPS_COMPLETE = "steps-complete"
"""Decision of Argo: all steps are done, it now makes the canary the stable version."""


def weight_changes(entries: Sequence[Entry]) -> tuple[tuple[float, int], ...]:
    """Moments (seconds since the epoch) at which Argo changed the canary's weight (percent), in order."""
    found = [
        (entry.time.timestamp(), int(entry.data["weight"]))
        for entry in entries
        if entry.kind is Kind.DECISION and entry.name == "weight" and "weight" in entry.data
    ]
    return tuple(sorted(found))


def stretches(entries: Sequence[Entry], *, start_s: float, end_s: float) -> tuple[WeightInterval, ...]:
    """Stretches of one weight between `start_s` and `end_s`, those too short to judge left out.

    `entries` are those of one canary. The last stretch of a promoted canary ends when Argo's steps are
    complete: from then on Argo swaps what the two Services select and sets the route back to the stable one,
    in no promised order, so that a weight no longer says who answers.
    """
    complete = [
        entry.time.timestamp()
        for entry in entries
        if entry.kind is Kind.DECISION and entry.name in {STEPS_COMPLETE, "promoted"}
    ]
    end = min([*complete, end_s])
    changes = [(start_s, 0), *weight_changes(entries), (end, 0)]
    return tuple(
        WeightInterval(max(begin, start_s), min(following, end), weight)
        for (begin, weight), (following, _) in pairwise(changes)
        if min(following, end) - max(begin, start_s) >= SHORTEST_S
    )
