"""The runs beneath a folder, one row each, from their small files alone; and what is there and is no run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from rollbook.errors import ExitCode, RollbookError
from rollbook.history.record import (
    PhaseOverTime,
    RunOverTime,
    duration_s,
    finite,
    read_coverage,
    read_run,
)
from rollbook.history.sealing import RecordSeal, recorded_seal

DEPTH = 2
"""How many folders deep runs are looked for: a folder of runs may hold others, such as `sample/`."""


class Ending(StrEnum):
    """How a run ended."""

    PASSED = "passed"
    REFUSED = "refused"
    """By a gate."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNFINISHED = "not finished"
    """Its record has no end: it was cut off, or it is still under way."""


@dataclass(frozen=True)
class Hits:
    """Requests of users: how many failed, of how many that were sent."""

    failed: int
    sent: int


@dataclass(frozen=True)
class PhaseRow:
    """A phase in a word: its verdict if it is a canary that has one, else its outcome."""

    name: str
    word: str
    passed: bool | None
    """None when it was not reached, or has no outcome."""


@dataclass(frozen=True)
class RunRow:
    """A run as the index shows it. Durations in seconds; None where the record does not have them."""

    path: str
    """Of its folder, from the folder of runs."""
    report: bool
    """Whether it has a report."""
    run_id: str
    service: str
    target: str
    started: datetime | None
    ending: Ending
    sentence: str
    phases: tuple[PhaseRow, ...]
    release: Hits | None
    """Of users during releases that were meant to be good."""
    drill: Hits | None
    """Of users while a version was faulty on purpose."""
    detect_s: float | None
    """The longest of the run's canaries that were rolled back; so is the next."""
    roll_back_s: float | None
    duration_s: float | None
    proved: int | None
    requirements: int | None
    seal: RecordSeal
    note: str = ""
    """What of its small files could not be read; empty when all could."""

    @property
    def coverage(self) -> float | None:
        """Share of the requirements that are proved, 0..1."""
        return None if self.proved is None or not self.requirements else self.proved / self.requirements


@dataclass(frozen=True)
class NoRun:
    """Something beneath the folder that is not a run that can be read: where, what it is, and why."""

    path: str
    what: str
    why: str


@dataclass(frozen=True)
class Listing:
    """All that is beneath a folder: runs, newest first, and the rest by name."""

    runs: tuple[RunRow, ...]
    others: tuple[NoRun, ...]


def scan(out: Path) -> Listing:
    """Read the runs beneath `out`. Nothing in there makes it fail; OSError if `out` itself cannot be read."""
    found = list(_found(out, "", DEPTH))
    runs = [one for one in found if isinstance(one, RunRow)]
    others = [one for one in found if isinstance(one, NoRun)]
    return Listing(
        runs=tuple(sorted(runs, key=_age, reverse=True)),
        others=tuple(sorted(others, key=lambda one: one.path)),
    )


def _age(row: RunRow) -> tuple[bool, float, str]:
    """Runs without a time go to the end."""
    return (row.started is not None, row.started.timestamp() if row.started else 0.0, row.path)


def _found(folder: Path, prefix: str, depth: int) -> Iterator[RunRow | NoRun]:
    with os.scandir(folder) as inside:
        entries = sorted(inside, key=lambda one: one.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = prefix + entry.name
        if entry.is_symlink():
            if entry.is_dir():
                yield NoRun(path, "a link", "links to folders are not followed")
        elif entry.is_dir():
            yield from _in_folder(Path(entry.path), path, depth)


def _in_folder(folder: Path, path: str, depth: int) -> Iterator[RunRow | NoRun]:
    try:
        if (folder / "run.json").is_file():
            yield _row(folder, path)
            return
        if depth > 1 and any(folder.glob("*/run.json")):
            yield from _found(folder, f"{path}/", depth - 1)
            return
        if (folder / "journal.jsonl").is_file():
            yield NoRun(path, "half a run", "it has a journal and no run.json")
        elif not any(folder.iterdir()):
            yield NoRun(path, "an empty folder", "nothing was written into it")
        else:
            yield NoRun(path, "not a run", "it has no run.json")
    except RollbookError as error:
        yield NoRun(path, "a damaged run", f"{error.what}: {error.why}" if error.why else error.what)
    except OSError as error:
        yield NoRun(path, "a folder that cannot be read", error.strerror or str(error))


def _row(folder: Path, path: str) -> RunRow:
    run = read_run(folder)
    proved, requirements, note = _coverage(folder)
    releases = [phase for phase in run.phases if phase.is_canary and not phase.is_faulty]
    drills = [phase for phase in run.phases if phase.is_faulty]
    return RunRow(
        path=path,
        report=(folder / "report.html").is_file(),
        run_id=run.id or folder.name,
        service=run.service.name,
        target=run.target,
        started=run.started,
        ending=_ending(run),
        sentence=run.outcome.sentence,
        phases=tuple(_phase(phase) for phase in run.phases),
        release=_hits(releases),
        drill=_hits(drills),
        detect_s=_longest([phase.time_to_detect_s for phase in run.phases]),
        roll_back_s=_longest([phase.time_to_roll_back_s for phase in run.phases]),
        duration_s=duration_s(run),
        proved=proved,
        requirements=requirements,
        seal=recorded_seal(folder),
        note=note,
    )


def _coverage(folder: Path) -> tuple[int | None, int | None, str]:
    try:
        coverage = read_coverage(folder)
    except RollbookError as error:
        return None, None, str(error)
    if coverage is None:
        return None, None, ""
    states = [one.state for one in coverage.requirements]
    return states.count("proved"), len(states), ""


def _ending(run: RunOverTime) -> Ending:
    code = run.outcome.exit_code
    if run.ended is None or code is None:
        return Ending.UNFINISHED
    known = {
        ExitCode.OK: Ending.PASSED,
        ExitCode.GATE_REFUSED: Ending.REFUSED,
        ExitCode.CANCELLED: Ending.CANCELLED,
    }
    return next((ending for of, ending in known.items() if int(of) == code), Ending.FAILED)


def _phase(phase: PhaseOverTime) -> PhaseRow:
    if phase.outcome == "skipped":
        return PhaseRow(phase.name, "not reached", None)
    word = phase.verdict.replace("-", " ") or phase.outcome or "not finished"
    if phase.verdict and phase.outcome not in {"passed", ""}:
        word = f"{word}, {phase.outcome}"
    return PhaseRow(phase.name, word, phase.outcome == "passed" if phase.outcome else None)


def _hits(phases: Sequence[PhaseOverTime]) -> Hits | None:
    told = [phase.users for phase in phases if phase.users.sent is not None]
    if not told:
        return None
    return Hits(failed=sum(one.failed or 0 for one in told), sent=sum(one.sent or 0 for one in told))


def _longest(values: Sequence[float | None]) -> float | None:
    return max((known for value in values if (known := finite(value)) is not None), default=None)
