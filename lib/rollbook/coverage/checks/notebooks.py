"""The executed notebooks."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from rollbook.coverage.lookup import Bundle, NoDataError, NotExercisedError, failed, json_of, proved
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check


def _executed(bundle: Bundle) -> tuple[tuple[str, Mapping[str, Any], EvidenceRef], ...]:
    """Phases that passed by the launcher, with their notebooks. NotExercisedError when there are none.

    NoDataError when a notebook that the run names is not there.
    """
    names = [
        (phase.name, phase.notebook)
        for phase in bundle.evidence.run.phases
        if phase.notebook and phase.outcome == "passed"
    ]
    if not names:
        raise NotExercisedError("No notebook was executed by the launcher in this run.")
    return tuple((name, *json_of(bundle, path, f"executed notebook of {name}")) for name, path in names)


def _code(notebook: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    cells = tuple(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    if not cells:
        raise NoDataError("An executed notebook has no code cell.")
    return cells


@check("notebooks.executed")
def executed(bundle: Bundle) -> Finding:
    """Each phase that passed left its executed notebook: every code cell ran, in order, without error."""
    evidence: list[EvidenceRef] = []
    count = 0
    for name, notebook, ref in _executed(bundle):
        evidence.append(ref)
        cells = [cell for cell in _code(notebook) if "".join(cell["source"]).strip()]
        numbers = [int(cell.get("execution_count") or 0) for cell in cells]
        if 0 in numbers or numbers != sorted(numbers):
            return failed(f"Not every cell of {name} was executed in order: {numbers}.", *evidence)
        for number, cell in zip(numbers, cells, strict=True):
            state = cell["metadata"].get("papermill", {}).get("status", "completed")
            if state != "completed" or any(output["output_type"] == "error" for output in cell["outputs"]):
                return failed(f"Cell {number} of {name} ended in an error ({state}).", *evidence)
        count += len(cells)
    return proved(f"{count} cells of {len(evidence)} notebooks ran to their end without an error.", *evidence)


@check("parameters.validated")
def validated(bundle: Bundle) -> Finding:
    """Each notebook was given only parameters that it declares, each of the declared type."""
    evidence: list[EvidenceRef] = []
    count = 0
    for name, notebook, ref in _executed(bundle):
        evidence.append(ref)
        declared = _assigned(_tagged(notebook, "parameters"))
        given = _assigned(_tagged(notebook, "injected-parameters"))
        unknown = sorted(set(given) - set(declared))
        if unknown:
            return failed(f"{name} was given {', '.join(unknown)}, which it does not declare.", *evidence)
        for key, value in given.items():
            if not _fits(value, declared[key]):
                kind = type(declared[key]).__name__
                return failed(f"{name} was given {key} = {value!r}, which is no {kind}.", *evidence)
        count += len(given)
    return proved(
        f"{count} parameters were given to {len(evidence)} notebooks, all declared, each of its type.",
        *evidence,
    )


def _tagged(notebook: Mapping[str, Any], tag: str) -> str:
    for cell in _code(notebook):
        if tag in (cell["metadata"].get("tags") or ()):
            return "".join(cell["source"])
    raise NoDataError(f"A notebook has no cell with the tag {tag}.")


def _assigned(source: str) -> dict[str, Any]:
    """Constants that a cell assigns to names."""
    found: dict[str, Any] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def _fits(value: object, default: object) -> bool:
    """Whether a value is of the type of the default; a whole number is a number."""
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return default is None or type(value) is type(default)
