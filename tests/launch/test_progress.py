"""What a run shows while it goes: on a terminal, in a log, on GitHub Actions."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from rollbook.clock import SystemClock
from rollbook.evidence.journal import Journal, Kind
from rollbook.launch.cells import CellEvent, CellState
from rollbook.launch.progress import Progress


def plain(environ: dict[str, str]) -> tuple[Progress, io.StringIO]:
    shown = io.StringIO()
    return Progress(Console(file=shown, width=80), environ), shown


def lines(shown: io.StringIO) -> list[str]:
    """Without the time at the start of each."""
    return [re.sub(r"^ *\d+\.\d s  ", "", line) for line in shown.getvalue().splitlines()]


def cell(index: int, title: str, state: CellState, seconds: float = 0.0) -> CellEvent:
    return CellEvent(index, 9, title, state, seconds)


def a_phase(progress: Progress, path: Path, decision: str = "promoted") -> None:
    """Three cells, and one entry of the journal."""
    journal = Journal(path, phase="canary", clock=SystemClock())
    journal.append(Kind.DECISION, "of an earlier phase")
    with progress.following("canary", path):
        progress.cell(cell(2, "Release", CellState.RUNNING))
        progress.cell(cell(2, "Release", CellState.COMPLETED, 1.0))
        progress.cell(cell(3, "Release", CellState.RUNNING))
        journal.append(Kind.DECISION, decision)
        progress.cell(cell(3, "Release", CellState.FAILED, 2.5))


def test_a_log_has_a_line_a_heading(tmp_path: Path) -> None:
    """Cells under one heading are one line; what the journal says and a cell that fails are others."""
    progress, shown = plain({})

    a_phase(progress, tmp_path / "journal.jsonl")

    assert lines(shown)[:2] == ["canary", "  Release (cell 3 of 9)"]
    assert sorted(lines(shown)[2:]) == ["  cell 4 (Release): failed after 2.5 s", "  promoted"]


def test_a_terminal_shows_the_cell_that_runs(tmp_path: Path) -> None:
    """The line at the bottom changes; cells that completed leave no line."""
    shown = io.StringIO()
    progress = Progress(Console(file=shown, force_terminal=True, width=100), {})

    a_phase(progress, tmp_path / "journal.jsonl")

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    assert "canary: Release (cell" in text
    assert "cell 4 (Release): failed after 2.5 s" in text
    assert "completed" not in text


def test_github_gets_a_group_a_phase(tmp_path: Path) -> None:
    """One group for each phase, closed however the phase ends."""
    progress, shown = plain({"GITHUB_ACTIONS": "true"})

    a_phase(progress, tmp_path / "journal.jsonl")
    with pytest.raises(ValueError, match="broken"), progress.following("drill", tmp_path / "journal.jsonl"):
        raise ValueError("broken")

    assert [line for line in lines(shown) if line.startswith("::")] == [
        *("::group::canary", "::endgroup::"),
        *("::group::drill", "::endgroup::"),
    ]


def test_a_failed_phase_is_an_annotation_on_github() -> None:
    """With its text escaped: a line end would cut it off."""
    progress, shown = plain({"GITHUB_ACTIONS": "true"})

    progress.failed("drill, 2", "100 % failed\nat once")

    assert lines(shown) == [
        "  drill, 2: 100 % failed / at once",
        "::error title=rollbook drill%2C 2::100 %25 failed%0Aat once",
    ]


def test_elsewhere_it_is_a_line() -> None:
    """Nothing of GitHub's is printed where nobody understands it."""
    progress, shown = plain({})

    progress.failed("drill", "too many failed")

    assert lines(shown) == ["  drill: too many failed"]


def test_a_text_of_others_is_no_command_to_github(tmp_path: Path) -> None:
    """A message from the cluster cannot close the group, mask words or set anything."""
    progress, shown = plain({"GITHUB_ACTIONS": "true"})

    a_phase(progress, tmp_path / "journal.jsonl", "bad\n::endgroup::\n##[add-mask]all")

    commands = [line for line in shown.getvalue().splitlines() if line.lstrip().startswith("::")]
    assert commands == ["::group::canary", "::endgroup::"]
    assert "##[" not in shown.getvalue()
