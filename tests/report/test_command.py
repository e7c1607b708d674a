"""`rollbook report`: from a folder, from a page, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from tests.report import runs
from typer.testing import CliRunner

from rollbook.cli import app
from rollbook.errors import BadInputError, EvidenceInvalidError, ExitCode, RollbookError


def report(*arguments: str) -> str:
    """Run the command in this process; what it printed. The error that it ends with is raised."""
    done = CliRunner().invoke(app, ["report", *arguments])
    if isinstance(done.exception, RollbookError | typer.Exit):
        raise done.exception
    return done.output


def test_a_page_is_made_from_a_folder_and_again_from_itself(tmp_path: Path) -> None:
    """The page of a folder, and the page made from that page, have the same bytes."""
    folder = runs.bare_run(tmp_path)
    first, second = folder.report, tmp_path / "second.html"
    assert f"{first}\n" == report(str(folder.path))
    assert f"{second}\n" == report("--from-html", str(first), "-o", str(second))
    assert first.read_bytes() == second.read_bytes()
    assert f"{first} is the page that the data in it makes\n" == report("--from-html", str(first))


def test_a_changed_page_ends_with_6(tmp_path: Path) -> None:
    """A page that was changed by hand does not verify."""
    folder = runs.bare_run(tmp_path)
    report(str(folder.path))
    folder.report.write_text(folder.report.read_text().replace("did not finish", "finished", 1))
    with pytest.raises(EvidenceInvalidError) as caught:
        report("--from-html", str(folder.report))
    assert ExitCode.EVIDENCE_INVALID == caught.value.exit_code


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Missing argument 'RUN'"),
        (["run", "--from-html", "page.html"], "not from both"),
        (["--from-html", "nothing.html"], "cannot be read"),
    ],
)
def test_what_is_asked_wrongly_is_bad_input(arguments: list[str], complaint: str) -> None:
    """Neither a folder nor a page, both, or a page that is not there."""
    with pytest.raises(BadInputError, match=complaint):
        report(*arguments)
