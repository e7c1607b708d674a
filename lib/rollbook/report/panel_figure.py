"""One panel of a dashboard as a small picture; the page sets them beside each other in a grid."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from rollbook.report import scales
from rollbook.report.bare_axes import BareAxes
from rollbook.report.panels_view import PanelLine, PanelsPhase, PanelView
from rollbook.report.svg import (
    BAD,
    CANARY,
    GOOD,
    MUTED,
    STABLE,
    TEXT,
    WARN,
    css_colour,
    embed,
    new_figure,
    page_style,
)

WIDTH_PX, HEIGHT_PX, ROW_PX = 300.0, 118.0, 17.0
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 46.0, 8.0, 16.0, 20.0
LIMIT_COLOURS = {"green": GOOD, "yellow": WARN, "orange": WARN, "red": BAD}
SIDES = {"stable": STABLE, "canary": CANARY}
OTHERS = (STABLE, CANARY, GOOD, MUTED, TEXT, WARN)
BAD_WORDS = re.compile(r"\b(5\d\d|abort|aborted|error|failed|unavailable|not taken)\b", re.IGNORECASE)
DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
NEAR_PX = 26.0
"""Labels of weights that are nearer to each other than this are left out."""


def colours(lines: Sequence[PanelLine]) -> tuple[str, ...]:
    """A colour for each series: its version's, red for what is bad by its name, else one after another."""
    found: list[str] = []
    # A third version must not look like one of the two.
    others = [one for one in OTHERS if one not in {SIDES[line.side] for line in lines if line.side}]
    for line in lines:
        if line.side:
            found.append(SIDES[line.side])
        elif BAD_WORDS.search(line.name):
            found.append(BAD)
        else:
            free = [one for one in others if one not in found]
            found.append((free or others)[0])
    return tuple(found)


def dashes(lines: Sequence[PanelLine]) -> tuple[int, ...]:
    """Which way each series is dashed: series of one colour differ by it."""
    chosen = colours(lines)
    return tuple(chosen[:number].count(one) % len(DASHES) for number, one in enumerate(chosen))


def panel_figure(phase: PanelsPhase, panel: PanelView, *, anchor: str) -> str:
    """The panel as an SVG element."""
    states = panel.states
    height = TOP_PX + BOTTOM_PX + ROW_PX * len(panel.lines) if states else HEIGHT_PX
    with page_style():
        figure = new_figure(WIDTH_PX, height)
        axes = BareAxes(
            figure,
            (
                LEFT_PX / WIDTH_PX,
                BOTTOM_PX / height,
                1 - (LEFT_PX + RIGHT_PX) / WIDTH_PX,
                1 - (TOP_PX + BOTTOM_PX) / height,
            ),
            facecolor="none",
        )
        figure.add_axes(axes)
        axes.set_axis_off()
        axes.set_xlim(0, phase.length_s or 1.0)
        if states:
            _states(axes, phase, panel)
        else:
            _series(axes, phase, panel)
        _marks(axes, phase)
        scales.base_line(axes)
        scales.times(axes, unit=" s", steps=4)
        told = "; ".join(f"{one.name}: {in_unit(_last(one), panel.unit)}" for one in panel.lines)
        return embed(
            figure,
            anchor=anchor,
            title=f"{panel.title}, {phase.name}",
            description=f"{panel.description} At the end: {told}.",
        )


@dataclass(frozen=True)
class Key:
    """One line of a panel's legend: a CSS colour, which way it is dashed, its name, and its last value."""

    colour: str
    dash: int
    name: str
    last: str


@dataclass(frozen=True)
class Drawn:
    """A panel as the page shows it."""

    svg: str
    keys: tuple[Key, ...]


def drawn_panels(
    phases: Sequence[PanelsPhase], collected: Callable[[str], str]
) -> tuple[tuple[tuple[Drawn | None, ...], ...], ...]:
    """Each panel of each dashboard of each phase; None for one without data. `collected` shortens styles."""
    return tuple(
        tuple(
            tuple(
                Drawn(
                    collected(panel_figure(phase, panel, anchor=f"{phase.anchor}-{at}-{number}")),
                    _keys(panel),
                )
                if panel.lines
                else None
                for number, panel in enumerate(board.panels)
            )
            for at, board in enumerate(phase.boards)
        )
        for phase in phases
    )


def _keys(panel: PanelView) -> tuple[Key, ...]:
    looks = zip(panel.lines, colours(panel.lines), dashes(panel.lines), strict=True)
    return tuple(
        Key(css_colour(colour), 0 if panel.states else dash, one.name, in_unit(_last(one), panel.unit))
        for one, colour, dash in looks
    )


def in_unit(value: float, unit: str) -> str:
    """A value as Grafana's unit has it: `percentunit`, `s`, `bytes`, `reqps`, `d`; others plain."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        if abs(value) < 1:
            return f"{value * 1000:.3g} ms"
        return f"{value:.3g} s" if value < 1000 else f"{value:,.0f} s"
    if unit == "bytes":
        return f"{value / 2**20:.4g} MiB"
    suffix = {"reqps": "/s", "d": " d"}.get(unit, "")
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}") + suffix


def _tick(value: float, unit: str) -> str:
    return f"{value / 2**20:.0f} MiB" if unit == "bytes" else in_unit(value, unit)


def _last(line: PanelLine) -> float:
    return next(value for value in reversed(line.values) if value is not None)


def _series(axes: Axes, phase: PanelsPhase, panel: PanelView) -> None:
    top = 0.0
    shades = colours(panel.lines)
    for line, colour, dash in zip(panel.lines, shades, dashes(panel.lines), strict=True):
        values = np.array([np.nan if value is None else value for value in line.values])
        top = max(top, float(np.nanmax(values)))
        alone = int(np.count_nonzero(np.isfinite(values))) == 1
        axes.plot(
            np.arange(len(values)) * phase.step_s,
            values,
            color=colour,
            linestyle=DASHES[dash],
            linewidth=1.8,
            marker="o" if alone else "",
            markersize=4,
            zorder=4,
        )
    low = min(0.0, *(value for one in panel.lines for value in one.values if value is not None))
    # A threshold far above everything would press the series to the ground.
    shown = [(value, colour) for value, colour in panel.limits if low <= value <= max(top * 3, 0.02)]
    high = max([top, *(value for value, _ in shown)])
    axes.set_ylim(low * 1.1, high * 1.12 if high > 0 else 1.0)
    for value, colour in shown:
        axes.axhline(
            value, color=LIMIT_COLOURS.get(colour, MUTED), linewidth=1.1, linestyle=(0, (4, 3)), zorder=2
        )
    scales.values(axes, lambda value: _tick(value, panel.unit), steps=3)


def _states(axes: Axes, phase: PanelsPhase, panel: PanelView) -> None:
    """Each series as a row: a bar while it is on, its name in the legend below."""
    axes.set_ylim(len(panel.lines), 0)
    for row, (line, colour) in enumerate(zip(panel.lines, colours(panel.lines), strict=True)):
        spans = []
        for number, value in enumerate(line.values):
            if value:
                start = number * phase.step_s
                spans.append((start, min(phase.step_s, max(phase.length_s - start, 0.0)) or phase.step_s / 2))
        axes.broken_barh(_joined(spans), (row + 0.22, 0.56), facecolor=colour, linewidth=0, zorder=3)


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans that touch each other as one."""
    found: list[tuple[float, float]] = []
    for start, length in spans:
        if found and abs(found[-1][0] + found[-1][1] - start) < 1e-6:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((start, length))
    return found


def _marks(axes: Axes, phase: PanelsPhase) -> None:
    """Argo's weights and the abort as upright lines; the weights' labels where there is room."""
    bottom, top = axes.get_ylim()
    lines = [[(one.at_s, bottom), (one.at_s, top)] for one in phase.marks]
    shades = [BAD if one.tone == "bad" else MUTED for one in phase.marks]
    axes.add_collection(LineCollection(lines, colors=shades, linewidths=0.9, zorder=2.5), autolim=False)
    wide = WIDTH_PX - LEFT_PX - RIGHT_PX
    places = [
        (one.at_s / (phase.length_s or 1.0), one.label) for one in phase.marks if one.label.endswith("%")
    ]
    gaps = [1.0, *(after[0] - before[0] for before, after in pairwise(places))][: len(places)]
    for (at, label), gap in zip(places, gaps, strict=True):
        if gap * wide >= NEAR_PX:
            axes.annotate(
                label,
                (at, 1),
                (0, 3),
                xycoords="axes fraction",
                textcoords="offset points",
                annotation_clip=False,
                ha="center",
                fontsize=9,
                color=MUTED,
            )
