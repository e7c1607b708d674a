"""Draws one state of a canary as PNG: weight, requests a second, failed share and p95 over time."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rollbook.domain.accounting import Bin

STABLE, CANARY, BAD, GOOD = "#3f6ebd", "#c77700", "#c22f2f", "#1a7a45"
TEXT, MUTED, GRID = "#16202c", "#5f6b78", "#e3e7ec"
DPI = 100
OVER_S = 5
"""Failed share is taken over so many seconds: one second holds too few requests of a canary."""


@dataclass(frozen=True)
class Look:
    """One state of a canary. Times are seconds from `start_s`, which is in seconds since the epoch."""

    stable: str
    canary: str
    start_s: float
    length_s: float
    weights: tuple[tuple[float, int], ...]
    marks: tuple[tuple[float, str], ...]
    """Argo's decisions: `20 %`, `aborted`, `promoted`."""
    bins: Mapping[str, tuple[Bin, ...]]
    """By version, in seconds since the epoch; the empty version is none at all."""
    availability: float | None
    p95_s: float | None
    words: str


def draw(look: Look) -> bytes:
    """The picture as PNG."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rc("font", size=9.0)
        mpl.rc("text", color=TEXT, parse_math=False)
        mpl.rc("axes", edgecolor=GRID, labelcolor=MUTED, axisbelow=True, grid=True, titlesize=9.5)
        mpl.rc("axes.spines", top=False, right=False, left=False)
        mpl.rc("grid", color=GRID)
        mpl.rc("xtick", color=MUTED)
        mpl.rc("ytick", color=MUTED)
        figure = Figure(figsize=(9.6, 5.6), dpi=DPI, facecolor="white")
        top, left_low, right_top, right_low = _grid(figure)
        _weight(top, look)
        _rate(right_top, look)
        _failed(left_low, look)
        _p95(right_low, look)
        for axes in (top, right_top, left_low, right_low):
            axes.set_xlim(0, look.length_s)
            axes.tick_params(length=0)
            _marks(axes, look)
        for axes in (left_low, right_low):
            axes.set_xlabel("seconds")
        _legend(figure, look)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()


def _grid(figure: Figure) -> tuple[Axes, Axes, Axes, Axes]:
    """Four panels, two by two, with room for the words above."""

    def panel(left: float, bottom: float) -> Axes:
        return figure.add_axes((left, bottom, 0.415, 0.3))

    return panel(0.065, 0.53), panel(0.065, 0.085), panel(0.565, 0.53), panel(0.565, 0.085)


def _legend(figure: Figure, look: Look) -> None:
    figure.text(0.012, 0.955, look.words, fontsize=10.5, weight="bold")
    figure.text(0.012, 0.91, "■", color=STABLE, fontsize=11)
    figure.text(0.032, 0.91, f"{look.stable} stable", color=MUTED)
    figure.text(0.212, 0.91, "■", color=CANARY, fontsize=11)
    figure.text(0.232, 0.91, f"{look.canary} canary", color=MUTED)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", weight="bold", x=-0.12, pad=15)


def _weight(axes: Axes, look: Look) -> None:
    _title(axes, "Canary's weight, %")
    edges = [at for at, _ in look.weights] + [max(look.length_s, look.weights[-1][0] + 0.01)]
    values = [weight for _, weight in look.weights]
    axes.stairs(values, edges, fill=True, color=CANARY, alpha=0.2)
    axes.stairs(values, edges, baseline=None, color=CANARY, linewidth=2)
    axes.set_ylim(0, 105)
    axes.set_yticks([0, 50, 100])


def _sides(look: Look) -> tuple[tuple[str, str], ...]:
    """Versions with their colours, in the order in which they are stacked."""
    others = tuple(version for version in look.bins if version not in {look.stable, look.canary, ""})
    found = [
        (look.stable, STABLE),
        (look.canary, CANARY),
        *((version, MUTED) for version in others),
        ("", BAD),
    ]
    return tuple((version, colour) for version, colour in found if version in look.bins)


def _rate(axes: Axes, look: Look) -> None:
    _title(axes, "Requests a second")
    seconds = math.ceil(look.length_s) + 1
    first = math.floor(look.start_s)
    below = [0] * seconds
    edges = [first - look.start_s + number for number in range(seconds + 1)]
    for version, colour in _sides(look):
        sent = {int(one.start_s) - first: one.sent for one in look.bins[version]}
        above = [low + sent.get(number, 0) for number, low in enumerate(below)]
        axes.stairs(above, edges, baseline=below, fill=True, color=colour, alpha=0.8)
        below = above
    axes.set_ylim(0, max(1, *below) * 1.2)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))


def _failed(axes: Axes, look: Look) -> None:
    _title(axes, "Failed share")
    top = 0.0
    for version, colour in _sides(look):
        if not version:
            continue  # what no version answered has failed, all of it: the words above the panels count it
        bins = look.bins[version]
        shares = []
        for end, one in enumerate(bins, start=1):
            near = [
                other for other in bins[max(0, end - OVER_S) : end] if one.start_s - other.start_s < OVER_S
            ]
            shares.append(sum(other.failed for other in near) / sum(other.sent for other in near))
        top = max(top, *shares)
        axes.plot(_middles(look, bins), shares, color=colour, linewidth=2)
    allowed = None if look.availability is None else 1 - look.availability
    ceiling = max(top * 1.15, (allowed or 0) * 2, 0.02)
    axes.set_ylim(-ceiling * 0.03, ceiling)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g} %"))
    _bound(axes, allowed)


def _p95(axes: Axes, look: Look) -> None:
    _title(axes, "p95 latency")
    top = 0.0
    for version, colour in _sides(look):
        if not version:
            continue
        bins = look.bins[version]
        top = max(top, *(one.p95_s for one in bins))
        axes.plot(_middles(look, bins), [one.p95_s for one in bins], color=colour, linewidth=1.6)
    ceiling = max(top * 1.15, (look.p95_s or 0) * 1.2, 0.01)
    axes.set_ylim(0, ceiling)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 1000:g} ms"))
    _bound(axes, look.p95_s)


def _middles(look: Look, bins: tuple[Bin, ...]) -> list[float]:
    return [one.start_s + 0.5 - look.start_s for one in bins]


def _bound(axes: Axes, value: float | None) -> None:
    """The service level objective."""
    if value is not None:
        axes.axhline(value, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))


def _marks(axes: Axes, look: Look) -> None:
    for at, label in look.marks:
        if 0 <= at <= look.length_s:
            colour = {"aborted": BAD, "promoted": GOOD}.get(label, MUTED)
            axes.axvline(at, color=colour, linewidth=1.1, linestyle="-" if colour != MUTED else (0, (2, 3)))
            axes.annotate(
                label,
                (at, 1),
                (0, 2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                fontsize=7.5,
                color=colour,
                # The end comes soon after the last weight: their words must not touch.
                ha="center" if colour == MUTED else "left",
            )
