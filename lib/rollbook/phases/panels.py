"""Keep what the service's dashboards showed while a phase went on: each query of each panel, over its time.

Dashboards are Grafana's JSON in `dashboards/*.json` of the service's monitoring folder. Their variables
`$namespace` and `$rollout` are the service's; a query with others is refused by Prometheus, which is noted at
its panel. A panel that may be empty says why in its description, after `MAY_BE_EMPTY`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rollbook.domain.dashboards import MAY_BE_EMPTY
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext

OBSERVATION = "panels"
"""Name of the journal's observation: `data.panels` has each panel with the records of its queries."""
POINTS = 80
"""Points a series at most: more make no better small picture, and would make the record large."""
LONGEST = timedelta(hours=6)
MOST_PANELS = 120


@dataclass(frozen=True)
class Limit:
    """From `value` on, in the panel's unit, a series is shown in `color`."""

    value: float
    color: str


@dataclass(frozen=True)
class Target:
    """One query of a panel, and the name of its series in Grafana's `{{label}}` form."""

    ref: str
    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel with queries. `dashboard` is the uid of its dashboard, `board` the title of that."""

    dashboard: str
    board: str
    panel: int
    section: str
    title: str
    description: str
    unit: str
    kind: str
    limits: tuple[Limit, ...]
    empty: str
    """Why it has no data at times; empty where it always should have some."""
    targets: tuple[Target, ...]


def archive_panels(ctx: PhaseContext, *, start: datetime, end: datetime) -> int:
    """Ask each query of each panel over that time, and keep the answers; the number of panels with data.

    Six hours before `end` are asked for at most. What cannot be read or answered is noted at its panel: a
    picture that is missing must not end a release. A service without dashboards has nothing to ask.
    """
    folder = ctx.service.monitoring
    boards = sorted((folder / "dashboards").glob("*.json")) if folder is not None else []
    if not boards:
        return 0
    begin = max(start, end - LONGEST)
    step_s = float(max(1, math.ceil((end - begin).total_seconds() / POINTS)))
    with ctx.journal.step("archive panels") as step:
        panels: list[Panel] = []
        for board in boards:
            try:
                panels += read_board(board)
            except BadInputError as error:
                step["unreadable"] = [*step.get("unreadable", ()), str(error)]
        asked = [_ask(ctx, panel, begin, end, step_s) for panel in panels[:MOST_PANELS]]
        filled = sum(1 for one in asked if any(target["points"] for target in one["targets"]))
        step |= {"panels": len(asked), "with_data": filled}
    ctx.journal.append(
        Kind.OBSERVATION,
        OBSERVATION,
        {"start": begin.isoformat(), "end": end.isoformat(), "step_s": step_s, "panels": asked},
        source="prometheus",
    )
    return filled


def archive_run(ctx: PhaseContext) -> str:
    """Ask the panels over the whole run until now; what came of it, in words. Else as `archive_panels`."""
    started = datetime.fromisoformat(str(ctx.folder.read_run()["started"]))
    filled = archive_panels(ctx, start=started, end=ctx.world.clock.now())
    return f"{filled} panels had data"


def read_board(path: Path) -> tuple[Panel, ...]:
    """The panels of a dashboard that have a query, in order. BadInputError when it is none of Grafana's."""
    try:
        board = json.loads(path.read_text("utf-8"))
        return tuple(_panels(board))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(
            f"{path.name} cannot be read as a dashboard of Grafana",
            why=f"{type(error).__name__}: {error}",
            next_step="Export it from Grafana again, or take it out of the folder.",
        ) from error


def bound(expr: str, variables: Mapping[str, str]) -> str:
    """A query with the values of its variables, which stand as `$name` or `${name}`."""
    for name, value in variables.items():
        expr = expr.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return expr


def _panels(board: Mapping[str, Any]) -> Iterator[Panel]:
    section = ""
    for one in board["panels"]:
        if one["type"] == "row":
            section = str(one.get("title", ""))
            continue
        targets = tuple(_targets(one.get("targets") or ()))
        if not targets:
            continue
        told, _, empty = str(one.get("description") or "").partition(MAY_BE_EMPTY)
        defaults = (one.get("fieldConfig") or {}).get("defaults") or {}
        steps = (defaults.get("thresholds") or {}).get("steps") or ()
        yield Panel(
            dashboard=str(board["uid"]),
            board=str(board["title"]),
            panel=int(one["id"]),
            section=section,
            title=str(one["title"]),
            description=told.strip(),
            unit=str(defaults.get("unit") or "short"),
            kind=str(one["type"]),
            limits=tuple(
                Limit(float(step["value"]), str(step["color"]))
                for step in steps
                if step.get("value") is not None
            ),
            empty=empty,
            targets=targets,
        )


def _targets(given: Sequence[Mapping[str, Any]]) -> Iterator[Target]:
    for one in given:
        if one.get("expr"):
            yield Target(str(one.get("refId") or "A"), str(one["expr"]), str(one.get("legendFormat") or ""))


def _ask(ctx: PhaseContext, panel: Panel, start: datetime, end: datetime, step_s: float) -> dict[str, Any]:
    """The panel as the journal keeps it, with how many points each query had and the record of its answer."""
    variables = {"namespace": ctx.service.namespace, "rollout": ctx.service.rollout}
    kept: dict[str, Any] = {**asdict(panel), "targets": []}
    for target in panel.targets:
        about = {"dashboard": panel.dashboard, "panel": str(panel.panel), "target": target.ref}
        told: dict[str, Any] = {"ref": target.ref, "legend": target.legend, "points": 0}
        query = bound(target.expr, variables)
        try:
            found = ctx.world.metrics.range(query, start=start, end=end, step_s=step_s, about=about)
        except (BadInputError, EnvironmentFailedError) as error:
            told["error"] = str(error)
        else:
            told |= {"points": sum(len(one.points) for one in found), **ctx.journal.last_asked()}
        kept["targets"].append(told)
    return kept
