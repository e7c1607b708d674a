"""Replays a policy over runs, or over a team's own history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rollbook.errors import BadInputError
from rollbook.replay import from_counters, from_run
from rollbook.replay.from_counters import SideCounters
from rollbook.replay.history import Asked, Ranges, read
from rollbook.replay.policy import Policy
from rollbook.replay.rules import decide
from rollbook.replay.summary import Replayed


def runs(folders: Sequence[Path], policy: Policy) -> tuple[tuple[Replayed, ...], tuple[str, ...]]:
    """Every canary of the runs, each run once, and sentences about what could not be replayed.

    BadInputError without a folder, or for one that is no run's; EvidenceInvalidError for an unusable one.
    """
    if not folders:
        raise BadInputError(
            "there is nothing to replay",
            next_step="Give folders of runs, such as reports/<run-id>, or --prometheus URL.",
        )
    replayed: list[Replayed] = []
    notes: list[str] = []
    for folder in dict.fromkeys(one.resolve() for one in folders):
        courses, odd = from_run.courses(folder)
        replayed += [Replayed(course, decide(course, policy)) for course in courses]
        notes += odd
        notes += [
            f"{one.run}, {one.phase}: no threshold of its own that can be read is on record."
            for one in courses
            if policy.recorded and one.recorded is None
        ]
    return tuple(replayed), tuple(notes)


def history(metrics: Ranges, asked: Asked, policy: Policy) -> tuple[tuple[Replayed, ...], tuple[str, ...]]:
    """The canary that a Prometheus has the counters of, and what was odd in them.

    Errors as those of `metrics`, and BadInputError for what are no counters.
    """
    return counters(read(metrics, asked), asked.step_s, policy)


def counters(
    sides: tuple[SideCounters, SideCounters], step_s: float, policy: Policy
) -> tuple[tuple[Replayed, ...], tuple[str, ...]]:
    """The same for counters of stable and of the canary that were read, `step_s` seconds apart."""
    course, notes = from_counters.course(*sides, step_s=step_s)
    return (Replayed(course, decide(course, policy)),), notes
