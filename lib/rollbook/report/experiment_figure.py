"""The figure of an A/B test: both rates over time, each within an interval that holds at every look."""

from __future__ import annotations

from collections.abc import Sequence

from rollbook.report import scales
from rollbook.report.experiment_view import RateLine
from rollbook.report.sheet import Picture, Sheet, both_forms
from rollbook.report.svg import CANARY, MUTED, STABLE

COLOURS = {"a": STABLE, "b": CANARY}
PANEL_PX = 190.0


def experiment_figure(lines: Sequence[RateLine], *, anchor: str, description: str) -> Picture:
    """One panel: the share of users who converted, a and b, with their intervals as bands."""

    def draw(sheet: Sheet) -> None:
        axes = sheet.panel(PANEL_PX, "Users who converted", "band: interval that holds at every look")
        for line in lines:
            colour = COLOURS.get(line.variant, MUTED)
            times, rates, lowest, highest = (list(column) for column in zip(*line.points, strict=True))
            axes.fill_between(times, lowest, highest, color=colour, alpha=0.16, linewidth=0)
            axes.plot(times, rates, color=colour, linewidth=2.0, marker="o" if len(times) == 1 else "")
        first, last = lines[0].points[0][0], lines[0].points[-1][0]
        # The first intervals are nearly everything: what follows is what one wants to see.
        half = [point for line in lines for point in line.points[len(line.points) // 3 :]]
        low, high = min(point[2] for point in half), max(point[3] for point in half)
        room = max(0.01, (high - low) * 0.1)
        axes.set_ylim(max(0.0, low - room), min(1.0, high + room))
        axes.set_xlim(first, last if last > first else first + 1.0)
        scales.values(axes, lambda value: f"{value * 100:g} %", steps=5)
        scales.base_line(axes)
        scales.times(axes, label="seconds from the start of the experiment's users")

    return both_forms(
        draw, lambda _narrow: 34 + PANEL_PX + 46, anchor=anchor, title="A/B test", description=description
    )
