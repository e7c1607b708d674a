"""What the small files of a run's folder say: `run.json` and `coverage.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rollbook.bundle.run_record import PhaseRecord, RunRecord, parse_run
from rollbook.coverage.coverage_file import NAME as COVERAGE
from rollbook.coverage.coverage_file import SCHEMA as COVERAGE_SCHEMA
from rollbook.errors import EvidenceInvalidError

LARGEST = 16 * 2**20
"""Bytes of `run.json` or `coverage.json`: a larger one is no record of rollbook's."""
Count = Annotated[int, Field(ge=0, le=10**15)]


class UsersRecord(BaseModel):
    """Requests of a phase's users: how many were sent, and how many of these failed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sent: Count | None = None
    failed: Count | None = None


class PhaseOverTime(PhaseRecord):
    """One phase, with the figures that are followed from run to run. Times in seconds."""

    users: UsersRecord = UsersRecord()
    time_to_detect_s: float | None = None
    time_to_roll_back_s: float | None = None

    @property
    def is_faulty(self) -> bool:
        """Whether it was a drill: a canary that was faulty on purpose."""
        return self.is_canary and bool(self.release.fault or self.parameters.get("fault"))


class RunOverTime(RunRecord):
    """`run.json`, with the figures that are followed from run to run."""

    phases: tuple[PhaseOverTime, ...] = ()


class RequirementState(BaseModel):
    """What `coverage.json` says of one requirement."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    state: str
    text: str = ""
    sentence: str = ""


class CoverageFile(BaseModel):
    """The part of `coverage.json` that is followed from run to run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: int = COVERAGE_SCHEMA
    requirements: tuple[RequirementState, ...]


def read_run(folder: Path) -> RunOverTime:
    """`run.json` of a folder. EvidenceInvalidError, with why, when it cannot be read as one."""
    raw = _json(folder / "run.json")
    if not isinstance(raw, Mapping):
        raise EvidenceInvalidError("run.json cannot be read", why="it is not a JSON object")
    try:
        parse_run(raw)  # it knows the schemas, and says in words what is wrong
        return RunOverTime.model_validate(raw)
    except (ValidationError, OverflowError) as error:
        raise EvidenceInvalidError("run.json does not say what a run.json says", why=_first(error)) from error


def read_coverage(folder: Path) -> CoverageFile | None:
    """`coverage.json` of a folder, None when there is none. EvidenceInvalidError when it cannot be read."""
    path = folder / COVERAGE
    if not path.is_file():
        return None
    try:
        file = CoverageFile.model_validate_json(_bytes(path))
    except ValidationError as error:
        raise EvidenceInvalidError(f"{COVERAGE} cannot be read", why=_first(error)) from error
    if file.v > COVERAGE_SCHEMA:
        raise EvidenceInvalidError(
            f"{COVERAGE} was written by a newer rollbook",
            why=f"its schema is {file.v}, and this rollbook knows {COVERAGE_SCHEMA}",
        )
    return file


def duration_s(run: RunRecord) -> float | None:
    """Seconds from a run's start to its end; None when it has no end on record."""
    if run.timing.total_s is not None:
        return finite(run.timing.total_s)
    return (run.ended - run.started).total_seconds() if run.ended and run.started else None


def finite(value: float | None) -> float | None:
    """A figure that can be drawn and compared, else None: JSON lets NaN and infinity through."""
    return value if value is not None and math.isfinite(value) else None


def _json(path: Path) -> Any:
    try:
        return json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise EvidenceInvalidError(f"{path.name} cannot be read", why=f"it is no JSON: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise EvidenceInvalidError(f"{path.name} cannot be read", why=f"it has {size:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise EvidenceInvalidError(f"{path.name} cannot be read", why=error.strerror or str(error)) from error


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}".lstrip(": ")
