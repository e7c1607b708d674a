"""`rollbook coverage`: a table, JSON, the matrix, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.coverage.good_world import good
from tests.coverage.saved import judged
from typer.testing import CliRunner

from rollbook.cli import app
from rollbook.coverage import registry
from rollbook.errors import BadInputError, GateRefusedError

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The folder of a run, and that of its project."""
    folder, project, _ = judged(good(), tmp_path_factory.mktemp("command"))
    return str(folder.path), str(project)


def test_the_table_has_a_row_for_each_requirement_and_the_totals(run: tuple[str, str]) -> None:
    """People see id, state, word, and why; the last line counts."""
    done = RUNNER.invoke(app, ["coverage", run[0], "--project", run[1]])

    assert 0 == done.exit_code
    assert 8 == sum(line.startswith("R-") for line in done.stdout.splitlines())
    totals = "8 requirements: 5 proved, 1 failed, 1 deferred, 1 skipped (4 implemented, 2 stubbed, 2 skipped)"
    assert totals in done.stdout


def test_states_narrow_the_table_and_not_the_totals(run: tuple[str, str]) -> None:
    """A state may be asked for, more than once."""
    arguments = ["coverage", run[0], "--project", run[1], "--state", "failed", "--state", "deferred"]

    done = RUNNER.invoke(app, arguments)

    ids = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("R-")]
    assert ["R-7-06", "R-7-07"] == ids
    assert "8 requirements: 5 proved" in done.stdout


def test_json_is_the_file_worked_out_anew(run: tuple[str, str]) -> None:
    """The keys are those of coverage.json."""
    done = RUNNER.invoke(app, ["coverage", run[0], "--project", run[1], "--json", "--state", "failed"])

    told = json.loads(done.stdout)
    assert set(json.loads((Path(run[0]) / "coverage.json").read_text())) == set(told)
    assert ["R-7-06"] == [row["id"] for row in told["requirements"]]
    assert 8 == told["totals"]["requirements"]


def test_strict_refuses_what_failed(run: tuple[str, str]) -> None:
    """For CI: exit code 3, with how many are in which state."""
    done = RUNNER.invoke(app, ["coverage", run[0], "--project", run[1], "--strict"])

    assert isinstance(done.exception, GateRefusedError)
    assert "1 failed" in done.exception.what


def test_the_matrix_is_printed(run: tuple[str, str]) -> None:
    """`--rtm` prints docs/rtm.md and nothing else."""
    done = RUNNER.invoke(app, ["coverage", run[0], "--rtm"])

    assert done.stdout.startswith("# Requirements traceability matrix\n")


def test_checks_are_listed_with_their_arguments() -> None:
    """Whoever writes requirements finds names, arguments and meanings in one place."""
    done = RUNNER.invoke(app, ["coverage", "--checks"])

    listed = [line.split()[0] for line in done.stdout.splitlines()[1:] if line[:1].isalpha()]
    assert list(registry.names()) == listed
    assert "service, operation" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["coverage"], "which run?"),
        (["coverage", "docs"], "docs is not the folder of a run"),
        (["coverage", "docs", "--state", "great"], "there is no state 'great'"),
    ],
)
def test_bad_input_is_told(arguments: list[str], what: str) -> None:
    """A wrong argument ends with an error of ours."""
    done = RUNNER.invoke(app, arguments)

    assert isinstance(done.exception, BadInputError)
    assert what == done.exception.what
