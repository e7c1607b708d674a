"""What the page shows of one canary phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.bundle.load import PhaseEvidence, SignalSeries
from rollbook.bundle.run_record import PhaseRecord, ServiceRecord
from rollbook.domain.accounting import CONFIDENCE, SETTLING_S, DrillFigures, ObservedSplit
from rollbook.domain.rollout import Measurement
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.journal import Entry
from rollbook.report import formats
from rollbook.report.analysis_view import RunView, run_view
from rollbook.report.tables import Cell, Column, Table, numbers, text
from rollbook.report.tally import SideSummary, splits, summarise_sides, times_of_abort
from rollbook.report.timeline import EDGE, Timeline, build_timeline

FAILURES_LISTED = 40


@dataclass(frozen=True)
class CanaryView:
    """One canary phase. Tables are None where there is nothing to put in."""

    phase: PhaseRecord
    evidence: PhaseEvidence
    anchor: str
    is_drill: bool
    as_expected: bool | None
    """Whether the verdict is the expected one; None while there is none."""
    timeline: Timeline | None
    versions: tuple[SideSummary, ...]
    splits: tuple[ObservedSplit, ...]
    times: DrillFigures | None
    """How fast the canary was detected and gone; None when it was not aborted."""
    version_table: Table | None
    split_table: Table | None
    cause_table: Table | None
    failure_table: Table | None
    runs: tuple[RunView, ...]
    signals: tuple[SignalSeries, ...]

    @property
    def sent(self) -> int:
        """Requests that users sent."""
        return len(self.evidence.traffic)

    @property
    def failed(self) -> int:
        """Requests that failed for users, whoever was to blame."""
        return sum(one.summary.failed for one in self.versions)

    def failed_by(self, side: str) -> int:
        """Requests of one side that failed."""
        return sum(one.summary.failed for one in self.versions if one.side == side)

    def sent_to(self, side: str) -> int:
        """Requests that one side answered."""
        return sum(one.summary.sent for one in self.versions if one.side == side)

    @property
    def measures(self) -> tuple[Measurement, ...]:
        """All measurements of the phase's AnalysisRuns."""
        return tuple(
            one
            for run in self.evidence.analysis_runs
            for metric in run.metrics
            for one in metric.measurements
        )


def canary_view(
    phase: PhaseRecord, entries: Sequence[Entry], evidence: PhaseEvidence, service: ServiceRecord, number: int
) -> CanaryView:
    """Work out one canary phase; `number` makes its anchor unique in the page."""
    mine = tuple(entry for entry in entries if entry.phase == phase.name)
    timeline = build_timeline(
        phase,
        mine,
        evidence.traffic,
        evidence.analysis_runs,
        availability=service.slo.availability,
        p95_bound_s=service.slo.p95_s,
    )
    versions = summarise_sides(phase, evidence.traffic)
    seen = splits(phase, mine, evidence.traffic, timeline) if timeline and evidence.traffic else ()
    start_s = timeline.start_s if timeline else 0.0
    return CanaryView(
        phase=phase,
        evidence=evidence,
        anchor=f"canary-{number}",
        is_drill=phase.is_drill,
        as_expected=phase.verdict == phase.expected if phase.verdict and phase.expected else None,
        timeline=timeline,
        versions=versions,
        splits=seen,
        times=times_of_abort(phase, mine, evidence.traffic),
        version_table=_version_table(versions, service) if versions else None,
        split_table=_split_table(seen, start_s) if seen else None,
        cause_table=_cause_table(versions) if any(one.summary.failed for one in versions) else None,
        failure_table=_failure_table(evidence.traffic, start_s),
        runs=tuple(run_view(run, start_s) for run in evidence.analysis_runs),
        signals=evidence.signals,
    )


def _version_name(one: SideSummary) -> str:
    return "no version answered" if one.side == EDGE else f"{one.summary.version} ({one.side})"


def _version_table(versions: Sequence[SideSummary], service: ServiceRecord) -> Table:
    slo = service.slo
    rows = []
    for one in versions:
        tally = one.summary
        too_many = slo.availability is not None and (tally.error_share or 0.0) > 1 - slo.availability
        too_slow = slo.p95_s is not None and tally.p95_s is not None and tally.p95_s > slo.p95_s
        rows.append(
            (
                Cell(_version_name(one)),
                Cell(formats.count(tally.sent)),
                Cell(formats.count(tally.failed), "bad" if too_many else "" if tally.failed else "good"),
                Cell(formats.share(tally.error_share), "bad" if too_many else "" if tally.failed else "good"),
                Cell(formats.seconds(tally.p50_s)),
                Cell(formats.seconds(tally.p95_s), "bad" if too_slow else ""),
                Cell(formats.seconds(tally.p99_s)),
                Cell(formats.seconds(one.slowest_s)),
            )
        )
    bounds = []
    if slo.availability is not None:
        bounds.append(f"at most {formats.bound(1 - slo.availability)} of requests may fail")
    if slo.p95_s is not None:
        bounds.append(f"p95 may be at most {formats.seconds(slo.p95_s)}")
    return Table(
        "Errors and latency by version, as users measured them",
        (*text("Version"), *numbers("Requests", "Failed", "Failed share", "p50", "p95", "p99", "Slowest")),
        tuple(rows),
        note=(f"Service level objective: {' and '.join(bounds)}. " if bounds else "")
        + "Latency counts from the moment a request was due, so a stall is charged to all that it delayed.",
    )


def _split_table(seen: Sequence[ObservedSplit], start_s: float) -> Table:
    verdicts = {True: Cell("fits", "good"), False: Cell("does not fit", "bad"), None: Cell("no data", "warn")}
    return Table(
        "The split that users saw against the weight that Argo Rollouts set",
        (
            *text("Seconds"),
            *numbers("Weight set", "Requests", "By the canary", "Share seen"),
            Column(f"{formats.bound(CONFIDENCE)} interval", numeric=True),
            *text("Verdict"),
        ),
        tuple(
            (
                Cell(f"{split.interval.start_s - start_s:.0f} – {split.interval.end_s - start_s:.0f}"),
                Cell(formats.weight(split.interval.weight)),
                Cell(formats.count(split.answered)),
                Cell(formats.count(split.canary)),
                Cell(formats.share(split.share)),
                Cell(
                    formats.NONE
                    if split.low is None
                    else f"{formats.share(split.low)} – {formats.share(split.high)}"
                ),
                verdicts[split.agrees],
            )
            for split in seen
        ),
        note=f"Counted from the version header of each answer, without the first {SETTLING_S:g} seconds "
        "of each weight, in which the edge follows. The interval is Clopper and Pearson's, which is exact.",
    )


def _cause_table(versions: Sequence[SideSummary]) -> Table:
    return Table(
        "Failed requests by cause",
        (*text("Cause", "Answered by"), *numbers("Requests", "Share of its requests")),
        tuple(
            (
                Cell(cause.value),
                Cell(_version_name(one)),
                Cell(formats.count(number)),
                Cell(formats.share(number / one.summary.sent)),
            )
            for one in versions
            for cause, number in one.summary.by_cause.items()
        ),
    )


def _failure_table(traffic: Sequence[RequestRecord], start_s: float) -> Table | None:
    """Failures by second, cause, status and version."""
    moments = Counter(
        (int(record.scheduled_s - start_s), record.cause.value, record.status, record.version)
        for record in traffic
        if record.failed
    )
    if not moments:
        return None
    listed = sorted(moments.items())[:FAILURES_LISTED]
    more = len(moments) - len(listed)
    return Table(
        "Failed requests by moment",
        (
            Column("Second", numeric=True),
            *text("Cause"),
            Column("Status", numeric=True),
            *text("Answered by"),
            Column("Requests", numeric=True),
        ),
        tuple(
            (
                Cell(f"{second}\u00a0s"),
                Cell(cause),
                Cell(str(status) if status else formats.NONE),
                Cell(version or "no version"),
                Cell(formats.count(number)),
            )
            for (second, cause, status, version), number in listed
        ),
        note=f"{more} later rows are in the traffic log." if more else "",
    )
