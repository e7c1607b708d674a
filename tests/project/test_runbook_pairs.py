"""The runbooks: each a pair of files that say the same, and thin enough to be read as a document."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path
from typing import Any

import jupytext
import pytest

from rollbook.notebook.parameters import MODELS

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
NAMES = sorted(path.stem for path in RUNBOOKS.glob("*.py"))
MOST_MEDIAN_LINES = 6

each_runbook = pytest.mark.parametrize("name", NAMES)


def read(name: str, suffix: str) -> Any:
    return jupytext.read(RUNBOOKS / f"{name}{suffix}")


def told(notebook: Any) -> list[tuple[str, str, list[str]]]:
    return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]


def code_cells(name: str) -> list[Any]:
    return [cell for cell in read(name, ".ipynb").cells if cell.cell_type == "code"]


def parameters_cell(name: str) -> Any:
    found = [cell for cell in code_cells(name) if "parameters" in cell.metadata.get("tags", [])]
    assert 1 == len(found)
    return found[0]


def test_every_runbook_has_both_files_and_a_model() -> None:
    """The runbooks are those that have a model of their parameters, each as .py and as .ipynb."""
    assert sorted(MODELS) == NAMES
    assert sorted(path.stem for path in RUNBOOKS.glob("*.ipynb")) == NAMES


@each_runbook
def test_both_files_say_the_same(name: str) -> None:
    """The notebook has the cells of the script; when it has not, `make notebooks` mends it."""
    assert told(read(name, ".py")) == told(read(name, ".ipynb"))


@each_runbook
def test_notebooks_are_kept_without_results(name: str) -> None:
    """No output and no execution count is in a notebook that is reviewed."""
    assert [] == [cell.source for cell in code_cells(name) if cell.outputs or cell.execution_count]


@each_runbook
def test_notebooks_run_on_the_kernel_of_the_environment(name: str) -> None:
    """The kernel is the one that ipykernel brings along, under its usual name."""
    assert "python3" == read(name, ".ipynb").metadata.kernelspec.name


@each_runbook
def test_defaults_of_the_parameters_cell_are_those_of_the_model(name: str) -> None:
    """Papermill without a parameter and `rollbook run` without one do the same."""
    assigned = {}
    for statement in ast.parse(parameters_cell(name).source).body:
        assert isinstance(statement, ast.Assign)
        (target,) = statement.targets
        assert isinstance(target, ast.Name)
        assigned[target.id] = ast.literal_eval(statement.value)

    fields = {field: info.get_default() for field, info in MODELS[name].model_fields.items()}

    assert fields == assigned
    assert [type(value) for value in fields.values()] == [type(value) for value in assigned.values()]


@each_runbook
def test_each_parameter_is_explained_in_the_words_of_the_model(name: str) -> None:
    """The comment beside a parameter begins with the description that the model gives."""
    comments = {}
    for line in parameters_cell(name).source.splitlines():
        assignment, _, comment = line.partition("  # ")
        comments[assignment.partition(" = ")[0]] = comment
    unexplained = [
        field
        for field, info in MODELS[name].model_fields.items()
        if not info.description or not comments[field].startswith(info.description)
    ]

    assert [] == unexplained


@each_runbook
def test_every_parameter_reaches_the_model(name: str) -> None:
    """The first call of the notebook hands each parameter, under its own name, to the model."""
    calls = [
        node
        for cell in code_cells(name)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"{MODELS[name].__name__}.of"
    ]

    assert 1 == len(calls)
    assert {field: field for field in MODELS[name].model_fields} == {
        keyword.arg: ast.unparse(keyword.value) for keyword in calls[0].keywords
    }


@each_runbook
def test_opens_with_a_title_and_what_an_operator_must_know(name: str) -> None:
    """The first cell has a title and says when to use the runbook, what it changes and what it proves."""
    first = read(name, ".ipynb").cells[0]

    assert "markdown" == first.cell_type
    assert first.source.startswith("# ")
    assert [] == [
        wanted
        for wanted in ("**When:**", "**What it changes:**", "**What it proves:**")
        if wanted not in first.source
    ]


@each_runbook
def test_says_how_to_undo_what_it_changes(name: str) -> None:
    """A runbook that changes anything says how to undo it."""
    first = read(name, ".ipynb").cells[0].source

    assert "**How to undo it:**" in first or "**What it changes:** nothing" in first


@each_runbook
def test_holds_no_library_code(name: str) -> None:
    """No function, class or loop is in a notebook: those have a place in the package, with tests."""
    kinds = (
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
        ast.Lambda,
        ast.For,
        ast.AsyncFor,
        ast.While,
        ast.Try,
    )
    found = [
        ast.unparse(node)
        for cell in code_cells(name)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, kinds)
    ]

    assert [] == found


@each_runbook
def test_leaves_python_nowhere(name: str) -> None:
    """No shell escape and no magic: `!command` that fails would pass for a success."""
    for cell in code_cells(name):
        ast.parse(cell.source)  # `!` and `%` at the start of a line are no Python
    imported = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for cell in code_cells(name)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }

    assert set() == {module for module in imported if not module.startswith("rollbook.")}


@each_runbook
def test_cells_are_small(name: str) -> None:
    """Half of the code cells have at most six lines."""
    lines = [
        len([line for line in cell.source.splitlines() if line.strip()])
        for cell in code_cells(name)
        if "parameters" not in cell.metadata.get("tags", [])
    ]

    assert MOST_MEDIAN_LINES >= statistics.median(lines)
