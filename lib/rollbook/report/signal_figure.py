"""The figure of the service's own metrics: one panel a signal, stable and canary in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from rollbook.report import scales
from rollbook.report.figures import SIDE_COLOURS
from rollbook.report.sheet import Picture, Sheet, both_forms
from rollbook.report.signals_view import SignalLine, SignalsView
from rollbook.report.svg import MUTED


def signals_figure(view: SignalsView, *, anchor: str, description: str) -> Picture:
    """What Prometheus saw of stable and canary, one panel a signal."""
    names = tuple(dict.fromkeys(one.signal for one in view.lines))

    def height(narrow: bool) -> float:
        rows = len(names) if narrow else -(-len(names) // 2)
        return rows * (34 + 84 + 22) + 26

    def draw(sheet: Sheet) -> None:
        columns = 1 if sheet.narrow or len(names) == 1 else 2
        for number, name in enumerate(names):
            column = number % columns
            last = column + 1 == columns or number + 1 == len(names)
            mine = [one for one in view.lines if one.signal == name]
            axes = sheet.panel(84, name, mine[0].unit, column=column, columns=columns, last=last)
            _signal_panel(axes, view, mine)
            if last:
                sheet.space(22)

    return both_forms(draw, height, anchor=anchor, title="What Prometheus measured", description=description)


def _signal_panel(axes: Axes, view: SignalsView, lines: Sequence[SignalLine]) -> None:
    top = 0.0
    for one in lines:
        times, values = _drawn(view, one)
        top = max([top, *(value for value in values if not np.isnan(value))])
        axes.plot(
            times,
            values,
            color=SIDE_COLOURS.get(one.side, MUTED),
            marker="o" if one.points == 1 else "",
            linewidth=1.0 if view.bin_s else 2.0,
            zorder=4 if one.side == "canary" else 3,
        )
    unit = lines[0].unit
    axes.set_ylim(0, top * 1.2 if top > 0 else 0.02 if unit == "share" else 1.0)
    first, last = view.times[0], view.times[-1]
    axes.set_xlim(first, last if last > first else first + 1.0)
    scales.values(axes, lambda value: _tick(value, unit))
    scales.base_line(axes)
    scales.times(axes, unit=" s", steps=5)


def _drawn(view: SignalsView, line: SignalLine) -> tuple[list[float], list[float]]:
    """The line's points; of a bin its lowest and its highest value, one above the other."""
    times: list[float] = []
    values: list[float] = []
    for number, (at, low) in enumerate(zip(view.times, line.low, strict=True)):
        high = line.high[number] if line.high else low
        if low is None or high is None:
            # A gap between points that came as they are may be another series' time: no gap in this one.
            if view.bin_s:
                times.append(at)
                values.append(np.nan)
            continue
        for value in (low, high) if low != high else (low,):
            times.append(at)
            values.append(value)
    return times, values


def _tick(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value * 100:g} %"
    if unit == "s":
        return f"{value * 1000:g} ms" if value < 2 else f"{value:g} s"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:g}"
