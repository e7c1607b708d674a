"""Dashboards as Grafana has them, made with Grafana's Foundation SDK (types of Grafana 11.6).

The SDK's types keep a wrong field or option from being written; Grafana brings older schemas up to date.
"""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard
from monitoring.dashboards.model import Board, Limit, Panel

from rollbook.domain.dashboards import MAY_BE_EMPTY

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24
"""Columns of Grafana's grid."""
HEIGHT = 8
RUNBOOKS = "docs/runbooks"
"""First value of the variable `runbooks`; whoever imports a dashboard names where theirs can be read."""


def rendered(board: Board) -> str:
    """The dashboard as JSON that Grafana imports, the same for the same board."""
    made = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["rollbook"])
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("10s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(
            builders.DashboardLink("rollbook")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags(["rollbook"])
            .include_vars(True)
            .keep_time(True)
        )
    )
    made = made.with_variable(builders.TextBoxVariable("runbooks").default_value(RUNBOOKS))
    for name, query, first in board.variables:
        made = made.with_variable(
            builders.QueryVariable(name)
            .query(query)
            .datasource(SOURCE)
            .current(dashboard.VariableOption(selected=True, text=first, value=first))
            .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
    for mark in board.marks:
        made = made.annotation(
            builders.AnnotationQuery()
            .name(mark.name)
            .datasource(SOURCE)
            .enable(True)
            .icon_color(mark.color)
            .expr(mark.expr)
        )
    y, number = 0, 1
    for section in board.sections:
        made = made.with_row(builders.Row(section.title).id(number).grid_pos(_place(0, y, WIDTH, 1)))
        y, number = y + 1, number + 1
        for panel, place in zip(section.panels, _places(len(section.panels), y), strict=True):
            made = made.with_panel(_panel(panel).id(number).grid_pos(place))
            number += 1
        y += HEIGHT * -(-len(section.panels) // 3)
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _places(count: int, y: int) -> Iterator[dashboard.GridPos]:
    # Three beside each other; two, and what is left over in the last line, fill the line.
    for start in range(0, count, 3):
        beside = min(3, count - start)
        width = WIDTH // beside
        for column in range(beside):
            yield _place(column * width, y + start // 3 * HEIGHT, width, HEIGHT)


def _place(x: int, y: int, w: int, h: int) -> dashboard.GridPos:
    return dashboard.GridPos(x=x, y=y, w=w, h=h)


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel:
    told = f"{panel.description} {MAY_BE_EMPTY}{panel.empty}" if panel.empty else panel.description
    made: timeseries.Panel | stat.Panel
    if panel.kind == "stat":
        made = stat.Panel().text_mode(
            common.BigValueTextMode.VALUE_AND_NAME if panel.unit == "short" else common.BigValueTextMode.VALUE
        )
    else:
        made = timeseries.Panel().fill_opacity(10).show_points(common.VisibilityMode.NEVER)
        if panel.limits:
            style = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
            made = made.thresholds_style(style)
    made = (
        made.title(panel.title)
        .description(told)
        .datasource(SOURCE)
        .unit(panel.unit)
        .thresholds(
            builders.ThresholdsConfig()
            .mode(dashboard.ThresholdsMode.ABSOLUTE)
            .steps([dashboard.Threshold(value=None, color=panel.base), *map(_step, panel.limits)])
        )
        .links([_runbook(alert) for alert in panel.runbooks])
    )
    for number, query in enumerate(panel.queries):
        letter = chr(ord("A") + number)
        made = made.with_target(
            Dataquery().ref_id(letter).datasource(SOURCE).expr(query.expr).legend_format(query.legend)
        )
    return made


def _step(limit: Limit) -> dashboard.Threshold:
    return dashboard.Threshold(value=limit.value, color=limit.color)


def _runbook(alert: str) -> builders.DashboardLink:
    return (
        builders.DashboardLink(alert)
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"${{runbooks}}/{alert}.md")
        .target_blank(True)
    )
