"""The figure of what users felt: a small panel for each change, with the requests around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from rollbook.domain.fates import WINDOW_S
from rollbook.report import scales
from rollbook.report.fates_view import BIN_S, ChangeView
from rollbook.report.figures import TONE_COLOURS
from rollbook.report.sheet import Picture, Sheet, both_forms
from rollbook.report.svg import BAD, CANARY, MUTED, STABLE

TITLE = "Requests around each change"
ANSWERED_PX, FAILED_PX, TITLE_PX, GAP_PX = 64, 26, 34, 26
COLUMNS = 4


def fates_figure(changes: Sequence[ChangeView], *, anchor: str, description: str) -> Picture:
    """For each change the requests in each half second by who answered, and below those that failed.

    All panels of a kind have one scale, so that changes can be compared.
    """
    answered = max(sum(counts) for one in changes for counts in zip(one.stable, one.canary, strict=True))
    failed = max(max(one.failed) for one in changes)

    def columns(narrow: bool) -> int:
        # As few rows as there may be, and all of them as full as the others.
        return 1 if narrow else -(-len(changes) // -(-len(changes) // COLUMNS))

    def height(narrow: bool) -> float:
        rows = -(-len(changes) // columns(narrow))
        return rows * (2 * TITLE_PX + ANSWERED_PX + FAILED_PX + GAP_PX)

    def draw(sheet: Sheet) -> None:
        wide = columns(sheet.narrow)
        for begin in range(0, len(changes), wide):
            row = changes[begin : begin + wide]
            for column, one in enumerate(row):
                last = column + 1 == len(row)
                axes = sheet.panel(ANSWERED_PX, one.label, column=column, columns=wide, last=last)
                _stack(axes, one, ((one.stable, STABLE), (one.canary, CANARY)), answered)
            for column, one in enumerate(row):
                last = column + 1 == len(row)
                title = f"{sum(one.failed)} failed"
                axes = sheet.panel(FAILED_PX, title, column=column, columns=wide, last=last)
                _stack(axes, one, ((one.failed, BAD),), failed)
                scales.times(axes, unit=" s", steps=5)
            sheet.space(GAP_PX)

    return both_forms(draw, height, anchor=anchor, title=TITLE, description=description)


def _stack(axes: Axes, one: ChangeView, layers: Sequence[tuple[Sequence[int], str]], top: int) -> None:
    edges = one.begin_s + BIN_S * np.arange(len(one.stable) + 1)
    below = np.zeros(len(one.stable))
    for counts, colour in layers:
        above = below + np.array(counts)
        if any(counts):
            alpha = 1.0 if colour == BAD else 0.75
            axes.stairs(above, edges, baseline=below, fill=True, color=colour, alpha=alpha, linewidth=0)
        below = above
    axes.set_xlim(-WINDOW_S, WINDOW_S)
    axes.set_ylim(0, max(1.0, top * 1.1))
    plain = one.tone == "plain"
    axes.axvline(
        0,
        color=MUTED if plain else TONE_COLOURS[one.tone],
        linewidth=1.4 if plain else 2.0,
        linestyle=(0, (2, 3)) if plain else "-",
        zorder=5,
    )
    scales.values(axes, lambda value: f"{value:g}", at=(0, max(1, top)))
    scales.base_line(axes)
