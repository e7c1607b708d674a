"""What users felt around each change, as the report has it."""

from __future__ import annotations

from pathlib import Path

from tests.report import runs

from rollbook.report.build import build
from rollbook.report.canary_view import CanaryView
from rollbook.report.fates_view import told_failures
from rollbook.report.page import render_folder


def canaries(tmp_path: Path) -> tuple[CanaryView, CanaryView]:
    """The release and the drill of a full run."""
    release, drill = build(runs.full_run(tmp_path)).canaries
    return release, drill


def test_each_change_has_its_row_and_its_panel(tmp_path: Path) -> None:
    """Weights by their percent, and how the rollout ended."""
    release, drill = canaries(tmp_path)
    assert release.fates is not None
    assert drill.fates is not None
    assert ["20\u00a0%", "50\u00a0%", "100\u00a0%", "promoted"] == [
        one.label for one in release.fates.changes
    ]
    assert ["20\u00a0%", "aborted"] == [row[0].text for row in drill.fates.table.rows]


def test_requests_of_a_panel_are_those_of_its_window(tmp_path: Path) -> None:
    """Each by who answered, failed ones apart; the table counts the same."""
    _, drill = canaries(tmp_path)
    assert drill.fates is not None
    for change, row in zip(drill.fates.changes, drill.fates.table.rows, strict=True):
        told = [[int(number) for number in cell.text.split(" of ")] for cell in row[2:4]]
        failed, sent = (sum(numbers) for numbers in zip(*told, strict=True))
        assert failed == sum(change.failed)
        assert sent == sum(change.stable) + sum(change.canary) + sum(change.failed)


def test_the_version_that_left_answers_last_soon_after(tmp_path: Path) -> None:
    """The drill's canary is gone half a second after the abort; a weight of 20 % takes users from nobody."""
    _, drill = canaries(tmp_path)
    assert drill.fates is not None
    weight, abort = drill.fates.table.rows
    assert "–" == weight[-1].text
    assert abort[-1].text.startswith("1.2.0-errors: ")
    assert abort[-1].text.endswith(" later")


def test_a_release_that_hurt_nobody_says_so(tmp_path: Path) -> None:
    """One sentence above the figure, and nothing of what failed in the table."""
    release, drill = canaries(tmp_path)
    assert release.fates is not None
    assert drill.fates is not None
    assert "No request failed within 5 seconds of any change." == release.fates.sentence
    assert {"nothing"} == {row[-2].text for row in release.fates.table.rows}
    assert "app error of 1.2.0-errors" in drill.fates.table.rows[0][-2].text
    assert "" == told_failures({})


def test_without_requests_there_is_no_such_part(tmp_path: Path) -> None:
    """Nobody was sent, so nobody felt anything."""
    folder = runs.empty_traffic_run(tmp_path)
    assert {None} == {view.fates for view in build(folder).canaries}
    assert "What users felt around each change" not in render_folder(folder)
