"""The figure of Argo's analysis over time: each measured value with its verdict, and its bounds."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from rollbook.report import scales
from rollbook.report.figures import LABEL_BOX, MEASURE_COLOURS, MEASURE_SHAPES
from rollbook.report.judge_view import JudgeMetric
from rollbook.report.sheet import Picture, Sheet, both_forms
from rollbook.report.svg import MUTED, SURFACE, WARN

TITLE = "What the analysis measured"


def judge_figure(metrics: Sequence[JudgeMetric], *, anchor: str, description: str) -> Picture:
    """One panel a metric: ● passed, ✕ failed, ○ undecided; dashed lines are the bounds of its conditions."""

    def height(narrow: bool) -> float:
        rows = len(metrics) if narrow else -(-len(metrics) // 2)
        return rows * (34 + 84 + 22) + 26

    def draw(sheet: Sheet) -> None:
        columns = 1 if sheet.narrow or len(metrics) == 1 else 2
        for number, metric in enumerate(metrics):
            column = number % columns
            last = column + 1 == columns or number + 1 == len(metrics)
            note = "● passed   ✕ failed   ○ undecided" if columns == 1 else ""
            _panel(sheet.panel(84, metric.name, note, column=column, columns=columns, last=last), metric)
            if last:
                sheet.space(22)

    return both_forms(draw, height, anchor=anchor, title=TITLE, description=description)


def _panel(axes: Axes, metric: JudgeMetric) -> None:
    for bound in metric.bounds:
        axes.axhline(bound, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=2)
        axes.annotate(
            f"bound {bound:g}",
            (1, bound),
            (-2, 5),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            fontsize=10,
            color=MUTED,
            bbox=LABEL_BOX,
        )
    axes.plot(
        [at for at, _, _ in metric.points], [value for _, value, _ in metric.points], color=MUTED, linewidth=1
    )
    for phase in sorted({phase for _, _, phase in metric.points}):
        axes.plot(
            [at for at, _, one in metric.points if one == phase],
            [value for _, value, one in metric.points if one == phase],
            linestyle="none",
            marker=MEASURE_SHAPES.get(phase, "o"),
            markersize=8,
            markerfacecolor=MEASURE_COLOURS.get(phase, SURFACE),
            markeredgecolor=SURFACE if phase in MEASURE_COLOURS else WARN,
            markeredgewidth=1.2,
            clip_on=False,
            zorder=5,
        )
    values = [*(value for _, value, _ in metric.points), *metric.bounds]
    low, high = min(values), max(values)
    room = (high - low) * 0.25 or abs(high) * 0.25 or 1.0
    axes.set_ylim(min(0.0, low - room) if low < room else low - room, high + room)
    first, last = metric.points[0][0], metric.points[-1][0]
    room = (last - first) * 0.03 or 1.0
    axes.set_xlim(first - room, last + room)
    scales.values(axes, lambda value: f"{value:g}")
    scales.base_line(axes)
    scales.times(axes, unit=" s", steps=5)
