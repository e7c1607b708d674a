"""A canary phase over time: Argo's weight and decisions, and what users saw of each side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rollbook.bundle.run_record import PhaseRecord
from rollbook.domain.rollout import AnalysisRun
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.journal import Entry, Kind
from rollbook.report.formats import weight as weight_text

STABLE, CANARY, EDGE = SIDES = ("stable", "canary", "edge")
"""Who answered. `edge` stands for requests that no version answered."""

MAX_BINS = 180
P95_WINDOW_S = 5.0
"""p95 is taken over so many seconds, for a single second holds too few requests of a canary."""


@dataclass(frozen=True)
class Lane:
    """One side over time; the tuples are as long as the timeline's `bin_starts`.

    `rps` in requests a second, `failed_share` 0..1 and `p95_s` in seconds: None where there was no request.
    """

    side: str
    version: str
    rps: tuple[float, ...]
    failed: tuple[int, ...]
    failed_share: tuple[float | None, ...]
    p95_s: tuple[float | None, ...]


@dataclass(frozen=True)
class Mark:
    """A moment to mark, in seconds from the start. `tone`: `plain`, `good` or `bad`."""

    at_s: float
    label: str
    tone: str


@dataclass(frozen=True)
class MeasureMark:
    """A measurement of an AnalysisRun, in seconds from the start; `phase` in Argo's words."""

    at_s: float
    metric: str
    phase: str


@dataclass(frozen=True)
class Timeline:
    """All that the timeline figure shows. Times are seconds from `start_s` (seconds since the epoch)."""

    start_s: float
    length_s: float
    bin_s: float
    bin_starts: tuple[float, ...]
    lanes: tuple[Lane, ...]
    weights: tuple[tuple[float, int], ...]
    """When the canary's weight (percent) was seen to change; begins with one at 0."""
    marks: tuple[Mark, ...]
    measures: tuple[MeasureMark, ...]
    availability: float | None
    p95_bound_s: float | None


def figure(value: float) -> float:
    """A number as the page keeps it: six significant digits, which is more than any screen shows."""
    return float(f"{value:.6g}")


def side_of(record: RequestRecord, phase: PhaseRecord) -> str:
    """Which side answered a request. Where both sides carry one version, the pod's name decides."""
    if not record.version:
        return EDGE
    canary = phase.canary_version
    if canary and canary == phase.stable.version and phase.canary.hash:
        return CANARY if f"-{phase.canary.hash}-" in record.pod else STABLE
    return CANARY if record.version == canary else STABLE


def build_timeline(
    phase: PhaseRecord,
    entries: Sequence[Entry],
    traffic: Sequence[RequestRecord],
    runs: Sequence[AnalysisRun],
    *,
    availability: float | None,
    p95_bound_s: float | None,
) -> Timeline | None:
    """Lay out a phase over time; None when there is neither traffic nor a decision."""
    weights = _weights(entries)
    if not traffic and not weights:
        return None
    if traffic:
        start = traffic[0].scheduled_s
        end = max(record.ended_s for record in traffic)
    else:
        start = phase.started.timestamp() if phase.started else entries[0].time.timestamp()
        end = max(entry.time.timestamp() for entry in entries)
    length = max(end - start, 1.0)
    bin_s = max(1.0, float(math.ceil(length / MAX_BINS)))
    bins = np.arange(0.0, math.ceil(length / bin_s)) * bin_s
    before = [value for at, value in weights if at <= start]
    changes = [(at - start, value) for at, value in weights if at > start]
    return Timeline(
        start_s=start,
        length_s=figure(length),
        bin_s=bin_s,
        bin_starts=tuple(float(at) for at in bins),
        lanes=_lanes(phase, traffic, start, length, bin_s, bins),
        weights=((0.0, before[-1] if before else 0), *((figure(at), value) for at, value in changes)),
        marks=_marks(entries, start),
        measures=_measures(runs, start, length),
        availability=availability,
        p95_bound_s=p95_bound_s,
    )


def _weights(entries: Sequence[Entry]) -> list[tuple[float, int]]:
    """Changes of the canary's weight, from the decisions; from the observed status where none is written."""
    found = [
        (entry.time.timestamp(), entry.data["weight"])
        for entry in entries
        if entry.kind is Kind.DECISION and entry.name == "weight" and "weight" in entry.data
    ] or [
        (entry.time.timestamp(), entry.data["weight"])
        for entry in entries
        if entry.kind is Kind.OBSERVATION and entry.name == "rollout" and "weight" in entry.data
    ]
    # Once promoted, the canary is the stable version: a weight of 0 then takes no user from it.
    while _promoted(entries) and found and int(found[-1][1]) == 0:
        found.pop()
    changes: list[tuple[float, int]] = []
    for at, value in sorted((at, int(value)) for at, value in found):
        if not changes or changes[-1][1] != value:
            changes.append((at, value))
    return changes


def _promoted(entries: Sequence[Entry]) -> bool:
    return any(entry.kind is Kind.DECISION and entry.name == "promoted" for entry in entries)


def _marks(entries: Sequence[Entry], start: float) -> tuple[Mark, ...]:
    marks = []
    for at, value in _weights(entries):
        marks.append(Mark(figure(at - start), weight_text(value), "plain"))
    for entry in entries:
        if entry.kind is not Kind.DECISION:
            continue
        at = figure(entry.time.timestamp() - start)
        if entry.name == "promoted":
            marks.append(Mark(at, "promoted", "good"))
        elif entry.name == "aborted":
            marks.append(Mark(at, "aborted", "bad"))
        elif entry.name == "abort":
            marks.append(Mark(at, "rollbook aborts", "bad"))
    return tuple(sorted(marks, key=lambda mark: mark.at_s))


def _measures(runs: Sequence[AnalysisRun], start: float, length: float) -> tuple[MeasureMark, ...]:
    found = [
        MeasureMark(figure(moment.timestamp() - start), metric.name, measurement.phase)
        for run in runs
        for metric in run.metrics
        for measurement in metric.measurements
        if (moment := measurement.finished_at or measurement.started_at) is not None
    ]
    inside = [mark for mark in found if -1.0 <= mark.at_s <= length + 1.0]
    return tuple(sorted(inside, key=lambda mark: (mark.at_s, mark.metric)))


def _lanes(
    phase: PhaseRecord,
    traffic: Sequence[RequestRecord],
    start: float,
    length: float,
    bin_s: float,
    bins: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> tuple[Lane, ...]:
    due = np.array([record.scheduled_s - start for record in traffic])
    latency = np.array([record.latency_s for record in traffic])
    failed = np.array([record.failed for record in traffic], dtype=bool)
    sides = np.array([side_of(record, phase) for record in traffic])
    versions = {
        STABLE: phase.stable.version,
        CANARY: phase.canary_version,
        EDGE: "",
    }
    edges = np.append(bins, bins[-1] + bin_s)
    widths = np.minimum(edges[1:], length) - bins
    lanes = []
    for side in SIDES:
        mine = sides == side
        if not mine.any():
            continue
        sent, _ = np.histogram(due[mine], edges)
        lost, _ = np.histogram(due[mine & failed], edges)
        lanes.append(
            Lane(
                side=side,
                version=versions[side],
                rps=_figures(sent / np.maximum(widths, 0.25)),
                failed=tuple(int(value) for value in lost),
                failed_share=tuple(
                    figure(bad / all_) if all_ else None for bad, all_ in zip(lost, sent, strict=True)
                ),
                p95_s=() if side == EDGE else _p95(due[mine], latency[mine], bins + bin_s, bin_s),
            )
        )
    return tuple(lanes)


def _figures(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(figure(value) for value in values)


def _p95(
    due: np.ndarray[tuple[int], np.dtype[np.float64]],
    latency: np.ndarray[tuple[int], np.dtype[np.float64]],
    ends: np.ndarray[tuple[int], np.dtype[np.float64]],
    bin_s: float,
) -> tuple[float | None, ...]:
    """p95 of the requests due in the window before each end; None where the last bin has none."""
    window = max(P95_WINDOW_S, bin_s)
    first = np.searchsorted(due, ends - window)
    last = np.searchsorted(due, ends)
    return tuple(
        figure(np.quantile(latency[low:high], 0.95, method="inverted_cdf")) if alive else None
        for low, high, alive in zip(first, last, last > np.searchsorted(due, ends - bin_s), strict=True)
    )
