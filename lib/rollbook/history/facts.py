"""All of one run that is compared with another: read from its folder, counted by the rules of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from rollbook.bundle.load import Evidence, PhaseEvidence, load
from rollbook.errors import RollbookError
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Entry, Kind
from rollbook.history.record import (
    PhaseOverTime,
    RequirementState,
    RunOverTime,
    finite,
    read_coverage,
    read_run,
)
from rollbook.report.tally import times_of_abort
from rollbook.report.timeline import SIDES, side_of


@dataclass(frozen=True)
class SideFacts:
    """Users of one side of a canary: how many requests failed, and all latencies in seconds."""

    failed: int
    latencies_s: tuple[float, ...]

    @property
    def sent(self) -> int:
        """Requests of that side."""
        return len(self.latencies_s)


@dataclass(frozen=True)
class PhaseFacts:
    """One phase of a run. Times in seconds, None where they are not known or do not apply."""

    record: PhaseOverTime
    sides: Mapping[str, SideFacts]
    """By `stable`, `canary` and `edge`; empty for a phase without users."""
    detect_s: float | None
    roll_back_s: float | None
    look_s: float
    """Time between two measurements of Argo's analysis; 0 without any."""
    gates: Mapping[str, bool | None]
    """Whether each gate passed; None when there was nothing to check."""


@dataclass(frozen=True)
class RunFacts:
    """One run. `requirements` is None when it has no `coverage.json`; `notes` say what could not be read."""

    folder: Path
    run_id: str
    run: RunOverTime
    phases: Mapping[str, PhaseFacts]
    requirements: Mapping[str, RequirementState] | None
    notes: tuple[str, ...] = ()


def gather(path: Path) -> RunFacts:
    """Read a run's folder. BadInputError when it is none, EvidenceInvalidError if `run.json` is unusable."""
    folder = RunFolder.open(path)
    evidence = load(folder)
    run = read_run(path)
    notes = list(evidence.problems)
    try:
        coverage = read_coverage(path)
    except RollbookError as error:
        coverage = None
        notes.append(f"{error}.")
    return RunFacts(
        folder=path,
        run_id=evidence.run_id,
        run=run,
        phases={phase.name: _phase(phase, evidence) for phase in run.phases},
        requirements={one.id: one for one in coverage.requirements} if coverage else None,
        notes=tuple(notes),
    )


def _phase(record: PhaseOverTime, evidence: Evidence) -> PhaseFacts:
    entries = tuple(entry for entry in evidence.entries if entry.phase == record.name)
    kept = evidence.phase(record.name)
    times = times_of_abort(record, entries, kept.traffic)
    return PhaseFacts(
        record=record,
        sides=_sides(record, kept),
        detect_s=times.time_to_detect_s if times else finite(record.time_to_detect_s),
        roll_back_s=times.time_to_roll_back_s if times else finite(record.time_to_roll_back_s),
        look_s=_look_s(kept),
        gates=_gates(entries),
    )


def _sides(record: PhaseOverTime, kept: PhaseEvidence) -> Mapping[str, SideFacts]:
    by_side: dict[str, list[tuple[bool, float]]] = {side: [] for side in SIDES}
    for request in kept.traffic:
        by_side[side_of(request, record)].append((request.failed, request.latency_s))
    return {
        side: SideFacts(sum(failed for failed, _ in seen), tuple(latency for _, latency in seen))
        for side, seen in by_side.items()
        if seen
    }


def _look_s(kept: PhaseEvidence) -> float:
    """The usual time between two measurements of one metric."""
    gaps = [
        (later - sooner).total_seconds()
        for run in kept.analysis_runs
        for metric in run.metrics
        for starts in [sorted(one.started_at for one in metric.measurements if one.started_at)]
        for sooner, later in pairwise(starts)
    ]
    return median(gaps) if gaps else 0.0


def _gates(entries: Sequence[Entry]) -> Mapping[str, bool | None]:
    passed = {entry.name: entry.data.get("passed") for entry in entries if entry.kind is Kind.GATE}
    return {name: one if isinstance(one, bool) else None for name, one in passed.items()}
