"""The page's dashboards: which are drawn, what is said of empty ones, and how series look."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.report.runs import BEGAN, HASHES, HandClock, bare_run, full_run

from rollbook.evidence.answers import Asked
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
from rollbook.evidence.recorder import Recorder
from rollbook.report.build import build
from rollbook.report.page import render
from rollbook.report.panel_figure import colours, dashes, in_unit
from rollbook.report.panels_view import DashboardsView, PanelLine
from rollbook.report.svg import BAD, CANARY, STABLE

START = BEGAN + timedelta(seconds=40)


def panel(number: int, **more: Any) -> dict[str, Any]:
    return {
        "dashboard": "b",
        "board": "Board",
        "panel": number,
        "section": "",
        "title": f"Panel {number}",
        "description": "What it shows.",
        "unit": "reqps",
        "kind": "timeseries",
        "limits": [{"value": 5.0, "color": "red"}],
        "empty": "",
        "targets": [],
        **more,
    }


def answered(folder: RunFolder, phase: str, result: list[dict[str, Any]]) -> dict[str, Any]:
    """A target of a panel whose query was answered so."""
    recorder = Recorder(folder, HandClock(), phase)
    identity = recorder.record(
        Asked("prometheus", "query_range", {"query": json.dumps(result)}),
        "200",
        {"status": "success", "data": {"result": result}},
    )
    points = sum(len(one["values"]) for one in result)
    return {"ref": "A", "legend": "{{version}}", "points": points, "evidence": [identity]}


def series(version: str, *values: str) -> dict[str, Any]:
    start = START.timestamp()
    labels = {"version": version, "pod_template_hash": HASHES.get(version, version)}
    return {"metric": labels, "values": [[start + number, value] for number, value in enumerate(values)]}


def with_panels(folder: RunFolder, phase: str, *panels: dict[str, Any]) -> None:
    data = {
        "start": START.isoformat(),
        "end": (START + timedelta(seconds=10)).isoformat(),
        "step_s": 1.0,
        "panels": list(panels),
    }
    folder.journal(phase, HandClock()).append(Kind.OBSERVATION, "panels", data, source="prometheus")


def view_of(folder: RunFolder) -> DashboardsView:
    found = build(folder).dashboards
    assert found is not None
    return found


def test_a_run_without_dashboards_says_nothing_of_them(tmp_path: Path) -> None:
    """The part is not there, and its link neither."""
    model = build(bare_run(tmp_path))

    assert model.dashboards is None
    assert 'id="dashboards"' not in render(model)


def test_panels_are_drawn_with_their_versions(tmp_path: Path) -> None:
    """Series at common times, gaps as gaps, and the side of each version by its hash."""
    folder = full_run(tmp_path)
    result = [series("1.0.0", "1", "NaN", "3"), series("1.1.0", "2")]
    with_panels(folder, "canary", panel(1, targets=[answered(folder, "canary", result)]))
    view = view_of(folder)

    (phase,) = view.phases
    (board,) = phase.boards
    (drawn,) = board.panels
    assert [("1.0.0", "stable"), ("1.1.0", "canary")] == [(one.name, one.side) for one in drawn.lines]
    assert (1.0, None, 3.0, *[None] * 8) == drawn.lines[0].values


def test_an_empty_panel_says_why_or_is_noted(tmp_path: Path) -> None:
    """With a reason all is well; without one the sentence names the panel, and so does the table."""
    folder = full_run(tmp_path)
    nothing = {"ref": "A", "legend": "", "points": 0}
    explained = panel(1, targets=[nothing], empty="it is quiet.")
    with_panels(folder, "canary", explained)
    assert "good" == view_of(folder).tone

    with_panels(folder, "drill", explained, panel(2, targets=[nothing]))
    view = view_of(folder)
    assert "bad" == view.tone
    assert "without a reason: Panel 2" in view.sentence
    assert [("none", "muted"), ("none", "warn")] == [(row[2].text, row[2].tone) for row in view.table.rows]


def test_one_release_and_one_drill_are_drawn(tmp_path: Path) -> None:
    """The table has the panels of every phase."""
    folder = full_run(tmp_path)
    for phase in ("canary", "drill", "validate"):
        target = answered(folder, phase, [series("1.0.0", "1")])
        with_panels(folder, phase, panel(1, targets=[target]))
    view = view_of(folder)

    assert ["canary", "drill"] == [phase.name for phase in view.phases]
    assert ["Panel", "canary", "drill", "validate", "May be empty"] == [
        column.title for column in view.table.columns
    ]


def test_a_panel_of_states_is_known_by_its_values(tmp_path: Path) -> None:
    """Series that are on or off, by their phase; a panel with other values is not one."""
    folder = full_run(tmp_path)
    phases = {**answered(folder, "canary", [series("1.0.0", "1", "0", "1")]), "legend": "{{phase}}"}
    counts = {**answered(folder, "canary", [series("1.0.0", "2", "0")]), "legend": "{{phase}}"}
    with_panels(folder, "canary", panel(1, targets=[phases]), panel(2, targets=[counts]))

    (phase,) = view_of(folder).phases
    assert [True, False] == [one.states for one in phase.boards[0].panels]


def test_the_page_draws_what_there_is_and_says_what_there_is_not(tmp_path: Path) -> None:
    """Lines and bars for panels with data; the reason, or what was in the way, for those without."""
    folder = full_run(tmp_path)
    phases = {**answered(folder, "canary", [series("1.0.0", "1", "0", "1")]), "legend": "{{phase}}"}
    refused = {"ref": "A", "legend": "", "points": 0, "error": "Prometheus refuses a query"}
    with_panels(
        folder,
        "canary",
        panel(1, targets=[answered(folder, "canary", [series("1.1.0", "2", "3")])]),
        panel(2, targets=[phases]),
        panel(3, targets=[{"ref": "A", "legend": "", "points": 0}], empty="it is quiet."),
        panel(4, targets=[refused]),
    )
    page = render(build(folder))

    assert ["Panel 1, canary", "Panel 2, canary"] == re.findall(r"<title[^>]*>(Panel [^<]*)</title>", page)
    assert "May be empty: it is quiet." in page
    assert "Not answered: Prometheus refuses a query" in page
    assert 'href="#dashboards"' in page


def test_series_can_be_told_apart() -> None:
    """Versions have their colours, what is bad is red, and series of one colour are dashed differently."""
    lines = [PanelLine("500", "", (1.0,)), PanelLine("503", "", (1.0,)), PanelLine("a", "canary", (1.0,))]

    assert (BAD, BAD, CANARY) == colours(lines)
    assert (0, 1, 0) == dashes(lines)
    assert CANARY not in colours([PanelLine("other", "", (1.0,)), lines[2]])[:1]
    assert (STABLE, CANARY) == colours([PanelLine("x", "", (1.0,)), PanelLine("y", "", (1.0,))])


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (0.25, "percentunit", "25 %"),
        (0.0025, "s", "2.5 ms"),
        (12.34, "s", "12.3 s"),
        (33554432, "bytes", "32 MiB"),
        (21.84, "reqps", "21.8/s"),
        (1234.5, "short", "1,234"),
        (3, "d", "3 d"),
    ],
)
def test_values_have_the_unit_of_their_panel(value: float, unit: str, told: str) -> None:
    """As Grafana would write them."""
    assert told == in_unit(value, unit)
