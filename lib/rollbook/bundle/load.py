"""Reads a run's folder into typed evidence. What cannot be read is said, and the rest is still read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rollbook.bundle.analysis_runs import parse_analysis_run
from rollbook.bundle.answers import read_answers
from rollbook.bundle.manifest import SEALS, file_sha256, regular_files
from rollbook.bundle.run_record import RunRecord, parse_run
from rollbook.domain.rollout import AnalysisRun
from rollbook.domain.traffic import RequestRecord
from rollbook.errors import EvidenceInvalidError
from rollbook.evidence.answers import Answer
from rollbook.evidence.attempts import latest_attempts
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Entry, read_journal
from rollbook.evidence.requests import read_log
from rollbook.evidence.seal import Seal, SealState, journal_state


@dataclass(frozen=True)
class SignalSeries:
    """What Prometheus answered for one signal of one side: points `(seconds since the epoch, value)`."""

    signal: str
    side: str
    query: str
    unit: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PhaseEvidence:
    """Everything that was kept of one phase, beside the journal."""

    traffic: tuple[RequestRecord, ...] = ()
    signals: tuple[SignalSeries, ...] = ()
    analysis_runs: tuple[AnalysisRun, ...] = ()


@dataclass(frozen=True)
class KeptFile:
    """A file of the record: path within the folder, size, SHA-256 in hex."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Evidence:
    """A run's folder, read. `problems` are sentences about what could not be read."""

    run_id: str
    run: RunRecord
    entries: tuple[Entry, ...]
    seal: SealState
    files: tuple[KeptFile, ...]
    phases: Mapping[str, PhaseEvidence] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    """What the world answered, by time."""

    def phase(self, name: str) -> PhaseEvidence:
        """What was kept of a phase; empty when nothing was."""
        return self.phases.get(name, PhaseEvidence())


def load(folder: RunFolder) -> Evidence:
    """Read a run's folder. BadInputError without a readable `run.json`; anything else missing is told."""
    run = parse_run(folder.read_run())
    problems: list[str] = []
    try:
        entries = latest_attempts(read_journal(folder.path / "journal.jsonl"))
    except EvidenceInvalidError as error:
        entries = ()
        problems.append(f"The journal could not be read: {error}.")
    seal = journal_state(folder.path / "journal.jsonl")
    # Of a run without an end, and of a journal that is not there, the page says so anyway.
    if entries and (seal.state is Seal.BROKEN or (seal.state is Seal.OPEN and run.ended is not None)):
        problems.append(seal.sentence)
    phases = {
        phase.name: PhaseEvidence(
            traffic=_traffic(folder.path, phase.name, problems),
            signals=_signals(folder.path, phase.name, problems),
            analysis_runs=_analysis_runs(folder.path, phase.name, problems),
        )
        for phase in run.phases
        if re.fullmatch(r"[\w-][\w.-]{0,59}", phase.name)  # a name that is no file name has no files
    }
    answers = read_answers(folder.path, problems)
    return Evidence(
        run_id=run.id or folder.run_id,
        run=run,
        entries=entries,
        seal=seal,
        files=_files(folder.path),
        phases=phases,
        problems=tuple(problems),
        answers=answers,
    )


def _files(root: Path) -> tuple[KeptFile, ...]:
    """All files of the record but its seals and the pages made from it, which would have to contain their own
    digest."""
    return tuple(
        KeptFile(path, found.stat().st_size, file_sha256(found))
        for path, found in regular_files(root).items()
        if path not in SEALS
        and not ("/" not in path and path.endswith(".html"))
        and not any(part.startswith(".") for part in path.split("/"))
    )


def _traffic(root: Path, phase: str, problems: list[str]) -> tuple[RequestRecord, ...]:
    try:
        return tuple(read_log(root / "traffic" / f"{phase}.csv"))
    except EvidenceInvalidError as error:
        problems.append(f"The requests of {phase} are not shown: {error}")
        return ()


def _signals(root: Path, phase: str, problems: list[str]) -> tuple[SignalSeries, ...]:
    series = []
    for path in sorted((root / "metrics" / phase).glob("*.json")):
        raw = _json(path, root, problems)
        if raw is None:
            continue
        try:
            points = tuple(
                (float(time), float(value)) for one in raw.get("series", ()) for time, value in one["points"]
            )
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"{path.relative_to(root).as_posix()} could not be read: {error!r}.")
            continue
        series.append(
            SignalSeries(
                signal=str(raw.get("signal", path.stem)),
                side=str(raw.get("side", "")),
                query=str(raw.get("query", "")),
                unit=str(raw.get("unit", "")),
                points=tuple(sorted(points)),
            )
        )
    return tuple(series)


def _analysis_runs(root: Path, phase: str, problems: list[str]) -> tuple[AnalysisRun, ...]:
    runs = []
    for path in sorted((root / "objects" / phase).glob("AnalysisRun-*.json")):
        raw = _json(path, root, problems)
        if raw is not None:
            runs.append(parse_analysis_run(raw))
    return tuple(sorted(runs, key=lambda run: (str(run.started_at or ""), run.name)))


def _json(path: Path, root: Path, problems: list[str]) -> Mapping[str, Any] | None:
    """A JSON object from a file; None, and a sentence in `problems`, when it is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"{path.relative_to(root).as_posix()} could not be read: {error}.")
        return None
    if not isinstance(raw, dict):
        problems.append(f"{path.relative_to(root).as_posix()} could not be read: it is not a JSON object.")
        return None
    return raw
