"""The users' requests of a canary phase counted by side, by interval of one weight, and around its abort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.bundle.run_record import PhaseRecord
from rollbook.domain.accounting import (
    DrillFigures,
    ObservedSplit,
    VersionSummary,
    drill_figures,
    observed_splits,
    summarise,
)
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.weights import stretches
from rollbook.report.timeline import SIDES, Timeline, side_of


@dataclass(frozen=True)
class SideSummary:
    """What users got from one version, and which side it is; `slowest_s` in seconds."""

    side: str
    summary: VersionSummary
    slowest_s: float


def summarise_sides(phase: PhaseRecord, traffic: Sequence[RequestRecord]) -> tuple[SideSummary, ...]:
    """Counts by side and version, stable first; what got no request is left out."""
    found = []
    for side in SIDES:
        mine = [record for record in traffic if side_of(record, phase) == side]
        found += [
            SideSummary(
                side,
                summary,
                max(record.latency_s for record in mine if record.version == summary.version),
            )
            for summary in summarise(mine)
        ]
    return tuple(found)


def splits(
    phase: PhaseRecord,
    entries: Sequence[Entry],
    traffic: Sequence[RequestRecord],
    timeline: Timeline,
) -> tuple[ObservedSplit, ...]:
    """The split within each time of one weight; a time too short to settle is left out."""
    end_s = timeline.start_s + timeline.length_s
    intervals = stretches(entries, start_s=timeline.start_s, end_s=end_s)
    return observed_splits(traffic, intervals, canary=phase.canary_version)


def times_of_abort(
    phase: PhaseRecord, entries: Sequence[Entry], traffic: Sequence[RequestRecord]
) -> DrillFigures | None:
    """How fast a canary was detected and gone; None when it was not aborted or no user met it."""
    aborted = [entry for entry in entries if entry.kind is Kind.DECISION and entry.name == "aborted"]
    if not aborted or not any(record.version == phase.canary_version for record in traffic):
        return None
    return drill_figures(traffic, bad_version=phase.canary_version, aborted_s=aborted[0].time.timestamp())
