"""The figures of the report: a view in, SVG out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from rollbook.report import formats, scales
from rollbook.report.sheet import LEFT_PX, RIGHT_PX, Picture, Sheet, both_forms
from rollbook.report.svg import BAD, CANARY, GOOD, GRID, MUTED, STABLE, SURFACE, WARN
from rollbook.report.timeline import EDGE, Lane, Mark, Timeline

SIDE_COLOURS = {"stable": STABLE, "canary": CANARY, EDGE: BAD}
TONE_COLOURS = {"plain": MUTED, "good": GOOD, "bad": BAD}
MEASURE_COLOURS = {"Successful": GOOD, "Failed": BAD, "Error": BAD}
MEASURE_SHAPES = {"Successful": "o", "Failed": "X", "Error": "X"}
ROW_PX = 26.0
FAR = 4.0
"""A bound so many times above the highest value would press the values onto the axis: it is told in words."""
SECONDS = "seconds from the start of user traffic"
LABEL_BOX = {"facecolor": SURFACE, "edgecolor": "none", "pad": 1.0}
"""Behind a label, so that no line runs through it."""


def timeline_figure(timeline: Timeline, *, anchor: str, title: str, description: str) -> Picture:
    """Weight, Argo's measurements, requests a second, failed share and p95 over one axis of time."""
    metrics = tuple(dict.fromkeys(mark.metric for mark in timeline.measures))
    has_traffic = bool(timeline.lanes)

    def height(narrow: bool) -> float:
        measures = 34 + ROW_PX * len(metrics) if metrics else 0
        return 22 + 34 + 84 + measures + (3 * (34 + (84 if narrow else 96)) if has_traffic else 0) + 44

    def draw(sheet: Sheet) -> None:
        sheet.space(22)
        panels = [
            _weight_panel(sheet.panel(84, "Canary's weight", "percent, as Argo Rollouts set it"), timeline)
        ]
        if metrics:
            axes = sheet.panel(
                ROW_PX * len(metrics), "Argo's measurements", "● passed   ✕ failed   ○ undecided"
            )
            panels.append(_measure_panel(axes, timeline, metrics))
        if has_traffic:
            tall = 84 if sheet.narrow else 96
            panels.append(_rate_panel(sheet.panel(tall, "Requests a second", "by who answered"), timeline))
            panels.append(
                _share_panel(sheet.panel(tall, "Failed share", "of each side's requests"), timeline)
            )
            panels.append(_p95_panel(sheet.panel(tall, "p95 latency", "over 5 seconds"), timeline))
        for axes in panels:
            _mark_moments(axes, timeline.marks, timeline.length_s)
            scales.base_line(axes)
        _label_moments(panels[0], timeline.marks, timeline.length_s, sheet)
        scales.times(panels[-1], label=SECONDS, steps=5 if sheet.narrow else 9)

    return both_forms(draw, height, anchor=anchor, title=title, description=description)


def _weight_panel(axes: Axes, timeline: Timeline) -> Axes:
    edges = [at for at, _ in timeline.weights] + [timeline.length_s]
    if edges[-1] <= edges[-2]:
        edges[-1] = edges[-2] + 0.01
    values = [weight for _, weight in timeline.weights]
    axes.set_xlim(0, timeline.length_s)
    axes.stairs(values, edges, fill=True, color=CANARY, alpha=0.18, linewidth=0)
    axes.stairs(values, edges, baseline=None, color=CANARY, linewidth=2.0)
    axes.set_ylim(0, 104)
    scales.values(axes, lambda value: f"{value:g} %", at=(0, 50, 100))
    return axes


def _measure_panel(axes: Axes, timeline: Timeline, metrics: Sequence[str]) -> Axes:
    axes.set_xlim(0, timeline.length_s)
    for row, metric in enumerate(metrics):
        y = len(metrics) - row - 0.72
        axes.axhline(y, color=GRID, linewidth=1.0, clip_on=False)
        axes.annotate(
            metric,
            (0, y),
            (2, 5),
            textcoords="offset points",
            fontsize=10,
            color=MUTED,
            bbox=LABEL_BOX,
            zorder=4,
        )
        for phase in sorted({mark.phase for mark in timeline.measures if mark.metric == metric}):
            times = [mark.at_s for mark in timeline.measures if mark.metric == metric and mark.phase == phase]
            axes.plot(
                times,
                [y] * len(times),
                linestyle="none",
                marker=MEASURE_SHAPES.get(phase, "o"),
                markersize=9 if phase == "Successful" else 10.5,
                markerfacecolor=MEASURE_COLOURS.get(phase, SURFACE),
                markeredgecolor=SURFACE if phase in MEASURE_COLOURS else WARN,
                markeredgewidth=1.2,
                clip_on=False,
                zorder=5,
            )
    axes.set_ylim(0, len(metrics))
    return axes


def _rate_panel(axes: Axes, timeline: Timeline) -> Axes:
    edges = np.append(timeline.bin_starts, timeline.bin_starts[-1] + timeline.bin_s)
    below = np.zeros(len(timeline.bin_starts))
    for lane in timeline.lanes:
        above = below + np.array(lane.rps)
        colour = SIDE_COLOURS[lane.side]
        axes.stairs(above, edges, baseline=below, fill=True, color=colour, alpha=0.75, linewidth=0)
        below = above
    axes.set_xlim(0, timeline.length_s)
    axes.set_ylim(0, max(1.0, float(np.quantile(below, 0.98)) * 1.3))
    scales.values(axes, lambda value: f"{value:g}", whole=True)
    return axes


def _share_panel(axes: Axes, timeline: Timeline) -> Axes:
    top = 0.0
    for lane in timeline.lanes:
        if lane.side == EDGE:
            continue  # what no version answered has failed, all of it: the figure of failures shows it
        values = _smooth_share(lane, timeline.bin_s)
        if not np.isnan(values).all():
            top = max(top, float(np.nanmax(values)))
        _line(axes, timeline, values, lane)
    allowed = None if timeline.availability is None else 1 - timeline.availability
    ceiling = max(top * 1.15, (allowed or 0.0) * 2, 0.02)
    axes.set_xlim(0, timeline.length_s)
    axes.set_ylim(-ceiling * 0.02, min(ceiling, 1.04))
    scales.values(axes, lambda value: f"{value * 100:g} %")
    if allowed is not None:
        _bound(axes, allowed, f"objective: at most {formats.bound(allowed)}", timeline.length_s)
    return axes


def _smooth_share(lane: Lane, bin_s: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Failed share over 5 seconds, for one second holds too few requests of a canary; NaN without any."""
    width = max(1, round(5.0 / bin_s))
    sent = np.array(lane.rps) * bin_s
    window = np.ones(width)
    requests = np.convolve(sent, window)[: len(sent)]
    failed = np.convolve(np.array(lane.failed, dtype=float), window)[: len(sent)]
    alive = np.array([share is not None for share in lane.failed_share])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(alive & (requests > 0), np.minimum(failed / requests, 1.0), np.nan)


def _p95_panel(axes: Axes, timeline: Timeline) -> Axes:
    top = 0.0
    for lane in timeline.lanes:
        if not lane.p95_s:
            continue
        values = np.array([np.nan if value is None else value for value in lane.p95_s])
        if not np.isnan(values).all():
            top = max(top, float(np.nanmax(values)))
        _line(axes, timeline, values, lane)
    bound = timeline.p95_bound_s
    near = bound is not None and bound <= top * FAR
    ceiling = max(top * 1.3, (bound or 0.0) * 1.25 if near or not top else 0.0, 0.002)
    axes.set_xlim(0, timeline.length_s)
    axes.set_ylim(0, ceiling)
    unit, factor = ("ms", 1000) if ceiling < 2 else ("s", 1)
    scales.values(axes, lambda value: f"{value * factor:g} {unit}")
    if bound is not None:
        told = f"objective: at most {formats.seconds(bound)}"
        if bound <= ceiling:
            _bound(axes, bound, told, timeline.length_s)
        else:
            _bound(axes, ceiling, f"{told}, above this scale", timeline.length_s, line=False)
    return axes


def _line(
    axes: Axes, timeline: Timeline, values: np.ndarray[tuple[int], np.dtype[np.float64]], lane: Lane
) -> None:
    middle = np.array(timeline.bin_starts) + timeline.bin_s / 2
    axes.plot(middle, values, color=SIDE_COLOURS[lane.side], zorder=4 if lane.side == "canary" else 3)


def _bound(axes: Axes, value: float, label: str, length_s: float, *, line: bool = True) -> None:
    if line:
        axes.axhline(value, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=2, clip_on=False)
    axes.annotate(
        label,
        (length_s, value),
        (-2, 5 if line else -9),
        textcoords="offset points",
        ha="right",
        fontsize=10,
        color=MUTED,
        bbox=LABEL_BOX,
        zorder=6,
    )


def _mark_moments(axes: Axes, marks: Sequence[Mark], length_s: float) -> None:
    for mark in marks:
        if 0 <= mark.at_s <= length_s:
            axes.axvline(
                mark.at_s,
                color=TONE_COLOURS[mark.tone],
                linewidth=1.0 if mark.tone == "plain" else 1.6,
                linestyle=(0, (2, 3)) if mark.tone == "plain" else "-",
                clip_on=False,
                zorder=2.5,
            )


def _label_moments(axes: Axes, marks: Sequence[Mark], length_s: float, sheet: Sheet) -> None:
    """Names above the first panel: those that ended the rollout on the upper line, weights on the lower."""
    pixels = (sheet.width - LEFT_PX - RIGHT_PX) / length_s
    free_from = {True: -1e9, False: -1e9}
    for mark in marks:
        ended = mark.tone != "plain"
        at = mark.at_s * pixels
        wide = 6.4 * len(mark.label) + 8
        if not 0 <= mark.at_s <= length_s or at - wide / 2 < free_from[ended]:
            continue
        free_from[ended] = at + wide / 2
        near_end = at > length_s * pixels - wide / 2
        axes.annotate(
            mark.label,
            (mark.at_s, 104),
            (0, 44 if ended else 30),
            textcoords="offset points",
            ha="right" if near_end else "center",
            fontsize=11,
            weight="bold" if ended else "normal",
            color=TONE_COLOURS[mark.tone],
            annotation_clip=False,
        )


def failures_figure(timeline: Timeline, *, anchor: str, description: str) -> Picture:
    """Failed requests over time, by who answered."""

    def draw(sheet: Sheet) -> None:
        axes = sheet.panel(
            90,
            "Failed requests",
            "in each second" if timeline.bin_s == 1 else f"in each {timeline.bin_s:g} seconds",
        )
        edges = np.append(timeline.bin_starts, timeline.bin_starts[-1] + timeline.bin_s)
        below = np.zeros(len(timeline.bin_starts))
        for lane in timeline.lanes:
            above = below + np.array(lane.failed)
            axes.stairs(above, edges, baseline=below, fill=True, color=SIDE_COLOURS[lane.side], linewidth=0)
            below = above
        axes.set_xlim(0, timeline.length_s)
        axes.set_ylim(0, max(1.0, float(below.max())) * 1.15)
        scales.values(axes, lambda value: f"{value:g}", whole=True)
        scales.base_line(axes)
        scales.times(axes, label=SECONDS, steps=5 if sheet.narrow else 9)
        _mark_moments(axes, timeline.marks, timeline.length_s)

    return both_forms(
        draw,
        lambda _: 34 + 90 + 44,
        anchor=anchor,
        title="Failed requests over time",
        description=description,
    )
