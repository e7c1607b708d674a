"""The canaries of a run's folder, as courses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rollbook.bundle.load import Evidence, PhaseEvidence, load
from rollbook.bundle.run_record import PhaseRecord
from rollbook.domain.judging import ABORTS, SOURCE, said
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.weights import weight_changes
from rollbook.judge.model import Verdict
from rollbook.replay.course import ABORT, PROMOTE, Answers, Course, Happened, Judged, Signal, Threshold
from rollbook.replay.template import SUCCESS_RATE, seconds, threshold_of
from rollbook.report.timeline import CANARY, STABLE, side_of

SERVER_ERROR = 500
DECISIONS = {ABORTS: ABORT, "aborted": ABORT, "promoted": PROMOTE, "steps-complete": PROMOTE}
"""Decisions in the journal after which what would have come is not known. From `steps-complete` on all
traffic is on the new version, and the services are swapped."""


def courses(path: Path) -> tuple[tuple[Course, ...], tuple[str, ...]]:
    """The canaries of a run that users met, and sentences about what could not be replayed.

    BadInputError when the folder is that of no run, EvidenceInvalidError if its `run.json` is unusable.
    """
    evidence = load(RunFolder.open(path))
    notes = [f"{evidence.run_id}: {one}" for one in evidence.problems]
    found = []
    for phase in evidence.run.phases:
        if not phase.is_canary:
            continue
        course = _course(path, evidence, phase)
        if course is None:
            notes.append(f"{evidence.run_id}, {phase.name}: no answer of the new version is on record.")
        else:
            found.append(course)
    if not found:
        notes.append(f"{evidence.run_id}: there is no canary to replay.")
    return tuple(found), tuple(notes)


def _course(path: Path, evidence: Evidence, phase: PhaseRecord) -> Course | None:
    kept = evidence.phase(phase.name)
    entries = tuple(entry for entry in evidence.entries if entry.phase == phase.name)
    by_side: dict[str, list[RequestRecord]] = {STABLE: [], CANARY: []}
    known = (one for one in kept.traffic if math.isfinite(one.ended_s))
    for record in sorted(known, key=lambda one: one.ended_s):
        by_side.setdefault(side_of(record, phase), []).append(record)
    if not by_side[CANARY]:
        return None
    began = by_side[CANARY][0].ended_s
    stable, canary = _answers(by_side[STABLE], began), _answers(by_side[CANARY], began)
    happened = _happened(entries, began)
    last = float(canary.at_s[-1])
    analysis, recorded = _recorded(path, phase.name, kept)
    fault = phase.release.fault or str(phase.parameters.get("fault") or "")
    return Course(
        run=evidence.run_id,
        phase=phase.name,
        stable_version=phase.stable.version,
        canary_version=phase.canary_version,
        fault=fault,
        faulty=bool(fault),
        began_s=began,
        starts_s=min(float(stable.at_s[0]) if len(stable.at_s) else 0.0, 0.0),
        ends_s=max(0.0, last if happened.after_s is None else happened.after_s),
        stable=stable,
        canary=canary,
        happened=happened,
        weights=tuple((moment - began, weight) for moment, weight in weight_changes(entries)),
        signals=_signals(kept, began),
        recorded=recorded,
        analysis_s=0.0 if analysis is None else analysis - began,
        judged=_judged(entries, began),
    )


def _answers(records: Sequence[RequestRecord], began: float) -> Answers:
    return Answers(
        at_s=np.array([one.ended_s - began for one in records], dtype=np.float64),
        requests=np.ones(len(records)),
        bad=np.array([one.status >= SERVER_ERROR for one in records], dtype=np.float64),
        failed=np.array([one.failed for one in records], dtype=np.float64),
        latency_s=np.array([one.latency_s for one in records], dtype=np.float64),
    )


def _happened(entries: Sequence[Entry], began: float) -> Happened:
    """The first decision that ended the canary."""
    ends = [one for one in entries if one.kind is Kind.DECISION and one.name in DECISIONS]
    if not ends:
        return Happened()
    first = min(ends, key=lambda one: one.time)
    message = str(first.data.get("message") or "")
    return Happened(DECISIONS[first.name], first.source, first.time.timestamp() - began, message)


def _judged(entries: Sequence[Entry], began: float) -> Judged | None:
    """What the judge said in the run; None when it never looked."""
    mine = [one for one in entries if one.source == SOURCE]
    if not mine:
        return None
    first = {
        verdict: min(
            (one for one in mine if one.kind is Kind.DECISION and one.name == said(verdict.value)),
            key=lambda one: one.time,
            default=None,
        )
        for verdict in (Verdict.HARMFUL, Verdict.SAFE)
    }
    harmful_s, safe_s = (None if one is None else one.time.timestamp() - began for one in first.values())
    decided = first[Verdict.HARMFUL]
    looks = [one for one in mine if one.kind is Kind.OBSERVATION]
    message = decided.data.get("message") if decided else looks[-1].data.get("sentence") if looks else ""
    return Judged(harmful_s, safe_s, str(message or ""))


def _signals(kept: PhaseEvidence, began: float) -> dict[str, Signal]:
    """Prometheus' answers of the canary; a query that names no one window is not comparable, and left out."""
    found = {}
    for one in kept.signals:
        windows = set(re.findall(r"\[([^\]]+)\]", one.query))
        if one.side != CANARY or not one.points or len(windows) != 1:
            continue
        try:
            window = seconds(windows.pop())
        except ValueError:
            continue
        at_s, values = np.array(one.points, dtype=np.float64).T
        found[one.signal] = Signal(at_s - began, values, window)
    return found


def _recorded(path: Path, phase: str, kept: PhaseEvidence) -> tuple[float | None, Threshold | None]:
    """When the analysis in the background began, since the epoch, and the rule that it had."""
    for run in kept.analysis_runs:
        if not any(metric.name == SUCCESS_RATE for metric in run.metrics):
            continue
        raw = _json(path / "objects" / phase / f"AnalysisRun-{run.name}.json")
        rule = threshold_of(raw)
        if rule is not None:
            return run.started_at.timestamp() if run.started_at else None, rule
    return None, None


def _json(path: Path) -> Mapping[str, Any]:
    try:
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, Mapping) else {}
