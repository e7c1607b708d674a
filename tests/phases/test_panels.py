"""What is asked for the dashboards, and what the journal keeps of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.phases.fakes import FakeMetrics, stage

from rollbook.errors import BadInputError
from rollbook.phases.context import PhaseContext
from rollbook.phases.panels import LONGEST, POINTS, archive_panels, archive_run, bound, read_board
from rollbook.ports import Series

PROJECT = Path(__file__).parents[2]
BOARD: dict[str, Any] = {
    "uid": "b",
    "title": "Board",
    "panels": [
        {"type": "row", "title": "First", "id": 1},
        {
            "type": "timeseries",
            "id": 2,
            "title": "Rate",
            "description": "How much. May be empty: it is quiet.",
            "fieldConfig": {
                "defaults": {
                    "unit": "reqps",
                    "thresholds": {
                        "steps": [{"value": None, "color": "green"}, {"value": 5, "color": "red"}]
                    },
                }
            },
            "targets": [{"refId": "A", "expr": 'rate{ns="$namespace"}', "legendFormat": "{{v}}"}],
        },
        {"type": "text", "id": 3, "title": "Words", "targets": []},
    ],
}


@dataclass
class Asked(FakeMetrics):
    """Prometheus that remembers what it was asked, and refuses `bad`."""

    asked: list[tuple[str, Mapping[str, str], datetime, float]] = field(default_factory=list)

    def range(
        self,
        query: str,
        *,
        start: datetime,
        end: datetime,
        step_s: float,
        about: Mapping[str, str] | None = None,
    ) -> tuple[Series, ...]:
        self.asked.append((query, about or {}, start, step_s))
        if "bad" in query:
            raise BadInputError("Prometheus refuses a query")
        return (Series({}, ((start.timestamp(), 1.0), (end.timestamp(), 2.0))),)


def setting(tmp_path: Path, *boards: object) -> tuple[PhaseContext, Asked]:
    on, metrics = stage(tmp_path), Asked()
    folder = tmp_path / "monitoring" / "dashboards"
    folder.mkdir(parents=True)
    for number, board in enumerate(boards):
        (folder / f"{number}.json").write_text(board if isinstance(board, str) else json.dumps(board))
    service = replace(on.ctx.service, monitoring=tmp_path / "monitoring")
    return replace(on.ctx, service=service, world=replace(on.ctx.world, metrics=metrics)), metrics


def kept(ctx: PhaseContext) -> Mapping[str, Any]:
    return [entry for entry in ctx.journal.entries() if entry.name == "panels"][-1].data


def test_each_query_is_asked_with_its_panel_and_kept(tmp_path: Path) -> None:
    """Variables are filled in; the journal has title, unit, limits, the reason, and how many points came."""
    ctx, metrics = setting(tmp_path, BOARD)
    end = ctx.world.clock.now()

    assert 1 == archive_panels(ctx, start=end - timedelta(seconds=60), end=end)

    ((query, about, _, step_s),) = metrics.asked
    assert f'rate{{ns="{ctx.service.namespace}"}}' == query
    assert {"dashboard": "b", "panel": "2", "target": "A"} == about
    assert 1.0 == step_s
    (panel,) = kept(ctx)["panels"]
    assert ("Board", "First", "Rate", "reqps") == tuple(
        panel[key] for key in ("board", "section", "title", "unit")
    )
    assert ("How much.", "it is quiet.") == (panel["description"], panel["empty"])
    assert [{"value": 5.0, "color": "red"}] == panel["limits"]
    assert [("A", "{{v}}", 2)] == [(one["ref"], one["legend"], one["points"]) for one in panel["targets"]]


def test_a_long_time_is_asked_in_few_points(tmp_path: Path) -> None:
    """However long a phase is: at most six hours, and 80 points a series."""
    ctx, metrics = setting(tmp_path, BOARD)
    end = ctx.world.clock.now()

    archive_panels(ctx, start=end - timedelta(days=3), end=end)

    ((_, _, start, step_s),) = metrics.asked
    assert LONGEST == end - start
    assert LONGEST.total_seconds() / step_s <= POINTS


def test_what_cannot_be_read_or_answered_ends_nothing(tmp_path: Path) -> None:
    """A broken file and a refused query are noted; the other panels are asked."""
    bad = json.loads(json.dumps(BOARD).replace("rate{", "bad{"))
    ctx, metrics = setting(tmp_path, "no board", bad, BOARD)
    end = ctx.world.clock.now()

    assert 1 == archive_panels(ctx, start=end - timedelta(seconds=60), end=end)

    assert 2 == len(metrics.asked)
    assert ["Prometheus refuses a query"] == [
        one["error"] for panel in kept(ctx)["panels"] for one in panel["targets"] if "error" in one
    ]
    step = [entry for entry in ctx.journal.entries() if entry.name == "archive panels"][-1]
    assert "0.json cannot be read" in step.data["unreadable"][0]


def test_a_service_without_dashboards_is_asked_nothing(tmp_path: Path) -> None:
    """And nothing is written of it."""
    ctx, metrics = setting(tmp_path)
    now = ctx.world.clock.now()

    assert 0 == archive_panels(ctx, start=now, end=now)
    assert ([], ()) == (metrics.asked, ctx.journal.entries())


def test_the_whole_run_is_asked_from_its_start(tmp_path: Path) -> None:
    """What `validate` keeps begins where the run began."""
    ctx, metrics = setting(tmp_path, BOARD)
    began = ctx.world.clock.now() - timedelta(seconds=90)
    ctx.folder.write_run({"started": began.isoformat()})

    assert "1 panels had data" == archive_run(ctx)
    assert began == metrics.asked[0][2]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"uid": "x"}', '{"panels": [{"type": "stat", "targets": [{"expr": "a"}]}]}']
)
def test_what_is_no_dashboard_is_told(tmp_path: Path, text: str) -> None:
    """The file is named."""
    path = tmp_path / "x.json"
    path.write_text(text)

    with pytest.raises(BadInputError, match=r"x\.json cannot be read as a dashboard"):
        read_board(path)


def test_the_projects_own_dashboards_are_read() -> None:
    """Each panel of them that has a query, with a title and a unit."""
    panels = [
        panel
        for path in sorted((PROJECT / "monitoring" / "dashboards").glob("*.json"))
        for panel in read_board(path)
    ]

    assert len(panels) > 30
    assert [] == [panel.title for panel in panels if not (panel.title and panel.unit and panel.targets)]


def test_variables_are_filled_in_both_spellings() -> None:
    """`$name` and `${name}`."""
    assert "a a" == bound("$n ${n}", {"n": "a"})
