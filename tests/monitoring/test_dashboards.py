"""Dashboards are made from code, and each panel was seen with data."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from monitoring.dashboards import BOARDS
from monitoring.dashboards.model import Board
from tests.monitoring.asking import Prometheus
from tests.monitoring.files import DASHBOARDS, MONITORING, PROJECT, PanelQuery, dashboards, panel_queries

from rollbook.domain.dashboards import MAY_BE_EMPTY

UNITS = {"short", "reqps", "percentunit", "s", "bytes", "d"}


def file_of(board: Board) -> Path:
    return MONITORING / "dashboards" / f"{board.uid.removeprefix('rollbook-')}.json"


def test_each_board_has_its_file() -> None:
    """The JSON files are those of the boards, and no others."""
    assert sorted(file_of(board) for board in BOARDS) == DASHBOARDS


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_files_are_what_the_code_makes(board: Board) -> None:
    """`python -m monitoring.dashboards` would change nothing."""
    pytest.importorskip(
        "grafana_foundation_sdk", reason="the JSON is compared where grafana-foundation-sdk is installed"
    )
    from monitoring.dashboards.grafana import rendered

    assert rendered(board) == file_of(board).read_text(encoding="utf-8")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_files_have_the_queries_of_the_code(board: Board) -> None:
    """Without the SDK, too, a changed query or title is noticed."""
    panels = [panel for panel in dashboards()[file_of(board).stem]["panels"] if panel["type"] != "row"]
    wanted = [
        (panel.title, [(query.expr, query.legend) for query in panel.queries])
        for section in board.sections
        for panel in section.panels
    ]

    assert wanted == [
        (panel["title"], [(target["expr"], target["legendFormat"]) for target in panel["targets"]])
        for panel in panels
    ]


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_panels_are_fit_to_be_read(name: str) -> None:
    """Each has an id of its own, a description, a known unit, and thresholds that rise."""
    panels = dashboards()[name]["panels"]
    shown = [panel for panel in panels if panel["type"] != "row"]

    assert list(range(1, len(panels) + 1)) == [panel["id"] for panel in panels]
    assert [] == [panel["title"] for panel in shown if not panel["description"]]
    assert [] == [panel["title"] for panel in shown if panel["fieldConfig"]["defaults"]["unit"] not in UNITS]
    for panel in shown:
        first, *steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert first["value"] is None
        assert all(low["value"] < high["value"] for low, high in pairwise(steps))


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_panels_do_not_lie_on_each_other(name: str) -> None:
    """No cell of Grafana's grid of 24 columns is taken twice."""
    taken: list[tuple[int, int]] = []
    for panel in dashboards()[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken += [
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]

    assert len(taken) == len(set(taken))


def test_links_of_panels_lead_to_runbooks() -> None:
    """Each link is to a runbook that is there."""
    links = [
        link["url"]
        for board in dashboards().values()
        for panel in board["panels"]
        for link in panel.get("links", ())
    ]

    assert links
    assert [] == [
        url for url in links if not (PROJECT / url.replace("${runbooks}", "docs/runbooks")).is_file()
    ]


@pytest.mark.sandbox
@pytest.mark.parametrize("query", panel_queries(), ids=lambda query: f"{query.board}: {query.panel}")
def test_panels_have_data(released: Prometheus, query: PanelQuery) -> None:
    """After a release, each query has a series in the last hour, or its panel says why it may have none."""
    series = released.series_in_the_last_hour(query.expr)

    assert series or MAY_BE_EMPTY in query.description, query.expr
