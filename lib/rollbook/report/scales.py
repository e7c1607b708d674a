"""Scales beside a panel: lines and labels at round values.

matplotlib's own axes would do, but making and placing their ticks takes longer than all the rest of a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from rollbook.report.svg import GRID, MUTED

LABEL_PX = 11.0


def values(
    axes: Axes,
    told: Callable[[float], str],
    *,
    steps: int = 3,
    whole: bool = False,
    at: Sequence[float] | None = None,
) -> None:
    """Lines across the panel and their labels to its left; call it when the panel's limits are set.

    About as many as `steps`, at whole numbers if `whole`, or at the given values.
    """
    low, high = axes.get_ylim()
    wide = axes.get_position().width * axes.figure.bbox.width
    tall = axes.get_position().height * axes.figure.bbox.height
    found = MaxNLocator(steps, integer=whole).tick_values(low, high) if at is None else at
    kept = [float(value) for value in found if low <= value <= high]
    _lines(axes, kept, zorder=0.5)
    for value in kept:
        axes.text(
            -3.5 / wide,
            (value - low) / (high - low) - 3.9 / tall,
            told(value),
            transform=axes.transAxes,
            ha="right",
            va="baseline",
            fontsize=LABEL_PX,
            color=MUTED,
        )


def times(axes: Axes, *, unit: str = "", label: str = "", steps: int = 9) -> None:
    """Labels below the panel, and a line that it stands on; call it when the panel's limits are set."""
    left, right = axes.get_xlim()
    tall = axes.get_position().height * axes.figure.bbox.height
    for value in MaxNLocator(steps).tick_values(left, right):
        if left <= value <= right:
            axes.text(
                (float(value) - left) / (right - left),
                -15.0 / tall,
                f"{value:g}{unit}",
                transform=axes.transAxes,
                ha="center",
                va="baseline",
                fontsize=LABEL_PX,
                color=MUTED,
            )
    if label:
        axes.text(
            0.5,
            -32.0 / tall,
            label,
            transform=axes.transAxes,
            ha="center",
            va="baseline",
            fontsize=11,
            color=MUTED,
        )


def base_line(axes: Axes) -> None:
    """The line that a panel stands on."""
    _lines(axes, [axes.get_ylim()[0]], zorder=2.2)


def _lines(axes: Axes, at: Sequence[float], *, zorder: float) -> None:
    left, right = axes.get_xlim()
    segments = [[(left, value), (right, value)] for value in at]
    lines = LineCollection(segments, colors=GRID, linewidths=1.0, zorder=zorder, clip_on=False)
    axes.add_collection(lines, autolim=False)
