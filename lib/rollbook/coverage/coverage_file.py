"""`coverage.json`: what was found of each requirement, and totals. docs/coverage.schema.json describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rollbook.coverage.model import Coverage, Delivery, EvidenceRef, Finding, Result, State
from rollbook.coverage.requirement import Kind, Requirement
from rollbook.errors import EvidenceInvalidError

SCHEMA = 1
NAME = "coverage.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)


class Totals(_Part):
    """How many requirements there are, in each state, and of each of the plan's words; also those with 0."""

    requirements: int
    states: Mapping[State, int]
    delivery: Mapping[Delivery, int]


class _Evidence(_Part):
    path: str = Field(description="in the run's folder; `.` stands for all of the evidence")
    sha256: str = Field(description="of the file as it was judged, in hex")
    what: str


class _Finding(_Part):
    check: str
    arguments: Mapping[str, Any]
    state: State
    sentence: str
    evidence: tuple[_Evidence, ...]
    emulated: bool = Field(description="what answered only stands in for the real system")


class _Row(_Part):
    id: str
    text: str
    kind: Kind
    step: str
    layer: str
    source: str
    via: str
    state: State
    delivery: Delivery
    sentence: str
    findings: tuple[_Finding, ...]


class _File(_Part):
    v: int
    run: str
    evidence_sha256: str = Field(description="over the evidence that was judged, as in manifest.json")
    totals: Totals
    notes: tuple[str, ...]
    requirements: tuple[_Row, ...]


def totals(coverage: Coverage) -> Totals:
    """Count requirements by state and by the plan's words."""
    return Totals(
        requirements=len(coverage.results),
        states={state: coverage.count(state) for state in State},
        delivery={delivery: coverage.delivered(delivery) for delivery in Delivery},
    )


def to_json(coverage: Coverage, evidence_sha256: str) -> dict[str, Any]:
    """What the file holds."""
    whole = _File(
        v=SCHEMA,
        run=coverage.run_id,
        evidence_sha256=evidence_sha256,
        totals=totals(coverage),
        notes=coverage.notes,
        requirements=tuple(_row(result) for result in coverage.results),
    )
    return whole.model_dump(mode="json")


def _row(result: Result) -> _Row:
    requirement = result.requirement
    return _Row(
        id=requirement.id,
        text=requirement.text,
        kind=requirement.kind,
        step=requirement.step,
        layer=requirement.layer,
        source=requirement.source,
        via=requirement.via,
        state=result.state,
        delivery=result.delivery,
        sentence=result.sentence,
        findings=tuple(_Finding.model_validate(finding) for finding in result.findings),
    )


def parse(content: bytes) -> tuple[Coverage, str]:
    """Read the file's content: the coverage, and the digest over the evidence that it is about.

    Requirements come without what the file does not have: implications, artefacts, checks, decisions.
    EvidenceInvalidError when it is no such file, of a newer rollbook, or totals and rows do not agree.
    """
    try:
        raw = json.loads(content)
        version = raw["v"]
        if isinstance(version, int) and version > SCHEMA:
            raise EvidenceInvalidError(
                f"{NAME} was written by a newer rollbook",
                why=f"its schema is {version}, and this rollbook knows {SCHEMA}",
                next_step="Use a rollbook that is as new as the one that ran.",
            )
        file = _File.model_validate_json(content)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        why = str(error)
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False)[0]
            why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise EvidenceInvalidError(f"{NAME} cannot be read", why=why) from error
    coverage = Coverage(tuple(map(_result, file.requirements)), file.run, file.notes)
    if totals(coverage) != file.totals:
        raise EvidenceInvalidError(f"{NAME} was changed", why="its totals are not those of its requirements")
    return coverage, file.evidence_sha256


def _result(row: _Row) -> Result:
    requirement = Requirement(
        row.id, row.text, row.kind, row.step, row.layer, row.source, implications=(), via=row.via
    )
    findings = tuple(
        Finding(
            one.check,
            one.arguments,
            one.state,
            one.sentence,
            tuple(EvidenceRef(ref.path, ref.sha256, ref.what) for ref in one.evidence),
            one.emulated,
        )
        for one in row.findings
    )
    return Result(requirement, row.state, row.delivery, row.sentence, findings)


def read(root: Path) -> tuple[Coverage, str] | None:
    """As `parse`, of a run's folder; None when it has no coverage."""
    try:
        return parse((root / NAME).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EvidenceInvalidError(f"{NAME} cannot be read", why=error.strerror or str(error)) from error


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file."""
    return {"$schema": DIALECT, **_File.model_json_schema(mode="serialization")}
