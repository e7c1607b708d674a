"""What the page shows of one canary phase, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.bundle.load import PhaseEvidence
from rollbook.bundle.run_record import PhaseRecord, ServiceRecord
from rollbook.domain.accounting import ObservedSplit
from rollbook.evidence.journal import Entry
from rollbook.report import canary_tables
from rollbook.report.analysis_view import RunView, run_view
from rollbook.report.failed_requests_view import FailedRequestsView, Kept, failed_requests_view
from rollbook.report.fates_view import FatesView, fates_view
from rollbook.report.judge_view import JudgeMetric, judge_metrics
from rollbook.report.looks_view import LooksView, looks_view
from rollbook.report.places import Places
from rollbook.report.signals_view import SignalsView, signals_view
from rollbook.report.tables import Ref, Table
from rollbook.report.tally import SideSummary, splits, summarise_sides, times_of_abort
from rollbook.report.texts import short
from rollbook.report.timeline import Timeline, build_timeline, figure

RUNS_LISTED = 12


@dataclass(frozen=True)
class VersionView:
    """What users got from one version: counts, and latencies in seconds. `side`: stable, canary or edge."""

    side: str
    version: str
    sent: int
    failed: int
    by_cause: tuple[tuple[str, int], ...] = ()
    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    slowest_s: float | None = None


@dataclass(frozen=True)
class TimesView:
    """How fast an aborted canary was detected and gone, in seconds, and how many requests failed on it."""

    detect_s: float | None
    roll_back_s: float
    users_hit: int


@dataclass(frozen=True)
class MeasureCounts:
    """Measurements of the phase's AnalysisRuns by how they ended."""

    passed: int = 0
    failed: int = 0
    undecided: int = 0

    @property
    def all(self) -> int:
        """How many there are."""
        return self.passed + self.failed + self.undecided


@dataclass(frozen=True)
class CanaryView:
    """One canary phase. Tables are None where there is nothing to put in."""

    name: str
    anchor: str
    is_drill: bool
    fault: str
    expected: str
    verdict: str
    outcome: str
    as_expected: bool | None
    """Whether the verdict is the expected one; None while there is none."""
    before: str
    """Version that users had before."""
    after: str
    """Version that was released."""
    digest: str
    sentence: str
    """What the phase said of itself."""
    why: str
    """Why it ended so, worked out from the evidence."""
    weights: tuple[int, ...]
    """The canary's weights in percent, in their order, without 0."""
    measures: MeasureCounts
    timeline: Timeline | None
    versions: tuple[VersionView, ...]
    times: TimesView | None
    """None when it was not aborted."""
    version_table: Table | None
    split_table: Table | None
    cause_table: Table | None
    failure_table: Table | None
    looks: LooksView | None
    """What rollbook's judge said; None when it did not judge."""
    judge: tuple[JudgeMetric, ...]
    runs: tuple[RunView, ...]
    runs_left_out: int
    signals: SignalsView | None
    sources: tuple[Ref, ...]
    """Where its figures come from."""
    fates: FatesView | None = None
    """What users felt around each change; None when nothing changed under traffic."""
    failed_requests: FailedRequestsView | None = None
    replay: Table | None = None
    """What other rules would have decided; None where none was replayed."""

    @property
    def sent(self) -> int:
        """Requests that users sent."""
        return sum(one.sent for one in self.versions)

    @property
    def failed(self) -> int:
        """Requests that failed for users, whoever was to blame."""
        return sum(one.failed for one in self.versions)

    def failed_by(self, side: str) -> int:
        """Requests of one side that failed."""
        return sum(one.failed for one in self.versions if one.side == side)

    def sent_to(self, side: str) -> int:
        """Requests that one side answered."""
        return sum(one.sent for one in self.versions if one.side == side)


def canary_view(
    phase: PhaseRecord,
    entries: Sequence[Entry],
    evidence: PhaseEvidence,
    service: ServiceRecord,
    number: int,
    places: Places,
    kept: Kept | None = None,
) -> CanaryView:
    """Work out one canary phase, all but `why`; `number` makes its anchor unique in the page.

    `kept` is what the run kept of single requests.
    """
    mine = tuple(entry for entry in entries if entry.phase == phase.name)
    timeline = build_timeline(
        phase,
        mine,
        evidence.traffic,
        evidence.analysis_runs,
        availability=service.slo.availability,
        p95_bound_s=service.slo.p95_s,
    )
    seen: tuple[ObservedSplit, ...] = ()
    if timeline and evidence.traffic:
        seen = splits(phase, mine, evidence.traffic, timeline)
    start_s = timeline.start_s if timeline else 0.0
    versions = tuple(_version(one) for one in summarise_sides(phase, evidence.traffic))
    traffic = places.file(f"traffic/{phase.name}.csv")
    aborted = times_of_abort(phase, mine, evidence.traffic)
    return CanaryView(
        name=phase.name,
        anchor=f"canary-{number}",
        is_drill=phase.is_drill,
        fault=phase.release.fault,
        expected=phase.expected,
        verdict=phase.verdict,
        outcome=phase.outcome,
        as_expected=phase.verdict == phase.expected if phase.verdict and phase.expected else None,
        before=short(phase.stable.version),
        after=short(phase.release.version or phase.canary.version),
        digest=phase.release.digest,
        sentence=phase.sentence,
        why="",
        weights=tuple(value for _, value in timeline.weights if value) if timeline else (),
        measures=_counts(evidence),
        timeline=timeline,
        versions=versions,
        times=TimesView(
            _optional(aborted.time_to_detect_s), figure(aborted.time_to_roll_back_s), aborted.users_hit
        )
        if aborted
        else None,
        version_table=canary_tables.version_table(versions, service, traffic) if versions else None,
        split_table=canary_tables.split_table(seen, start_s, (*traffic, *places.file("journal.jsonl")))
        if seen
        else None,
        cause_table=canary_tables.cause_table(versions, traffic),
        failure_table=canary_tables.failure_table(evidence.traffic, start_s, traffic),
        looks=looks_view(mine, start_s, places),
        judge=judge_metrics(evidence.analysis_runs, start_s),
        runs=tuple(
            run_view(run, start_s, places.file(f"objects/{phase.name}/AnalysisRun-{run.name}.json"))
            for run in evidence.analysis_runs[:RUNS_LISTED]
        ),
        runs_left_out=max(0, len(evidence.analysis_runs) - RUNS_LISTED),
        signals=signals_view(evidence.signals, start_s, phase.name, places),
        sources=(*traffic, *places.file("journal.jsonl")),
        fates=fates_view(phase, mine, evidence.traffic, start_s, (*traffic, *places.file("journal.jsonl"))),
        failed_requests=failed_requests_view(
            evidence.traffic, timeline, kept, phase=phase.name, number=number, places=places
        )
        if timeline
        else None,
    )


def _version(one: SideSummary) -> VersionView:
    tally = one.summary
    return VersionView(
        side=one.side,
        version=tally.version,
        sent=tally.sent,
        failed=tally.failed,
        by_cause=tuple((cause.value, number) for cause, number in tally.by_cause.items()),
        p50_s=_optional(tally.p50_s),
        p95_s=_optional(tally.p95_s),
        p99_s=_optional(tally.p99_s),
        slowest_s=_optional(one.slowest_s),
    )


def _optional(value: float | None) -> float | None:
    return None if value is None else figure(value)


def _counts(evidence: PhaseEvidence) -> MeasureCounts:
    """By Argo's own counters: of the measurements themselves it keeps the last ten of a metric alone."""
    metrics = [metric for run in evidence.analysis_runs for metric in run.metrics]
    return MeasureCounts(
        passed=sum(metric.successful for metric in metrics),
        failed=sum(metric.failed + metric.errors for metric in metrics),
        undecided=sum(metric.inconclusive for metric in metrics),
    )
