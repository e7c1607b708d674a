"""Read `docs/requirements.yaml`: what was asked for, with its checks, implications and contradictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rollbook.coverage.requirement import CheckCall, Contradiction, Decision, Requirement, Requirements
from rollbook.coverage.requirements_model import CheckEntry, FileModel, RequirementModel
from rollbook.errors import BadInputError
from rollbook.settings import yaml_file
from rollbook.settings.yaml_tree import Tree, TreeError, parse

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NO_FILE = "Run it in the project's folder, or give the run's own requirements.yaml."


def load(path: Path) -> Requirements:
    """Read and check a file of requirements.

    BadInputError names the line of the first thing that is wrong: a field, an id that is used twice or was
    retired, a requirement that nothing checks or decides, a line of the document that nobody looked at.
    """
    return _requirements(yaml_file.load(path, FileModel, hint=NO_FILE), path.name)


def loads(text: str, source: str = "requirements.yaml") -> Requirements:
    """As `load`, from the text of a file; `source` is its name in complaints."""
    try:
        tree = parse(text)
    except TreeError as error:
        raise BadInputError(f"{source} line {error.line}: {error.problem}", next_step=error.fix) from error
    return _requirements(tree, source)


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file: `docs/requirements.schema.json`."""
    return {"$schema": DIALECT, **FileModel.model_json_schema()}


def _requirements(tree: Tree, source: str) -> Requirements:
    file = yaml_file.validate(tree, FileModel, source)
    return Requirements(
        source=f"{file.source.title} (SHA-256 {file.source.sha256})",
        requirements=tuple(
            _requirement(row, tree.place(("requirements", number, "id")).line)
            for number, row in enumerate(file.requirements)
        ),
        contradictions=tuple(
            Contradiction(
                id=row.id,
                title=row.title,
                between=row.between,
                tension=row.tension,
                stance=row.stance,
                decision_record=row.decision_record,
            )
            for row in file.contradictions
        ),
        retired=file.retired,
        lines=file.source.lines,
        silent=file.source.silent,
    )


def _requirement(row: RequirementModel, line: int) -> Requirement:
    decision = row.decision
    return Requirement(
        id=row.id,
        text=row.text,
        kind=row.kind,
        step=row.step,
        layer=row.layer,
        source=row.source,
        implications=row.implications,
        via=row.via,
        checks=tuple(_check(entry) for entry in row.checks),
        artefacts=row.artefacts,
        decision=Decision(decision.state, decision.why, decision.instead) if decision else None,
        line=line,
    )


def _check(entry: CheckEntry) -> CheckCall:
    if isinstance(entry, str):
        return CheckCall(entry)
    ((name, arguments),) = entry.items()
    return CheckCall(name, arguments)
