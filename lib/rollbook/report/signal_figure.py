"""The figure of the service's own metrics: one panel a signal, stable and canary in each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rollbook.bundle.load import SignalSeries
from rollbook.report.figures import SIDE_COLOURS
from rollbook.report.sheet import Picture, Sheet, both_forms
from rollbook.report.svg import MUTED


def signals_figure(
    series: Sequence[SignalSeries], start_s: float, *, anchor: str, description: str
) -> Picture | None:
    """What Prometheus saw of stable and canary, one panel a signal; None when no signal has a point."""
    names = tuple(dict.fromkeys(one.signal for one in series if one.points))
    if not names:
        return None

    def height(narrow: bool) -> float:
        rows = len(names) if narrow else -(-len(names) // 2)
        return rows * (34 + 84 + 22) + 26

    def draw(sheet: Sheet) -> None:
        columns = 1 if sheet.narrow or len(names) == 1 else 2
        for number, name in enumerate(names):
            column = number % columns
            last = column + 1 == columns or number + 1 == len(names)
            mine = [one for one in series if one.signal == name and one.points]
            axes = sheet.panel(84, name, mine[0].unit, column=column, columns=columns, last=last)
            _signal_panel(axes, mine, start_s)
            if last:
                sheet.space(22)

    return both_forms(draw, height, anchor=anchor, title="What Prometheus measured", description=description)


def _signal_panel(axes: Axes, series: Sequence[SignalSeries], start_s: float) -> None:
    top = 0.0
    for one in series:
        times = [time - start_s for time, _ in one.points]
        values = [value if math.isfinite(value) else math.nan for _, value in one.points]
        top = max([top, *(value for value in values if not math.isnan(value))])
        axes.plot(
            times,
            values,
            color=SIDE_COLOURS.get(one.side, MUTED),
            marker="o" if len(values) == 1 else "",
            zorder=4 if one.side == "canary" else 3,
        )
    unit = series[0].unit
    axes.set_ylim(0, top * 1.2 if top > 0 else 0.02 if unit == "share" else 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, unit)))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s"))


def _tick(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value * 100:g} %"
    if unit == "s":
        return f"{value * 1000:g} ms" if value < 2 else f"{value:g} s"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:g}"
