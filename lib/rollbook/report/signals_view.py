"""What Prometheus measured, as the page keeps it: as it came, or the lowest and highest value of each bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rollbook.bundle.load import SignalSeries
from rollbook.report.places import Places
from rollbook.report.tables import Ref
from rollbook.report.texts import short
from rollbook.report.timeline import figure

MOST_TIMES = 240
"""More points than this make no better figure: they are put into bins, all series into the same ones."""
BINS = 200
SERIES_DRAWN = 24


@dataclass(frozen=True)
class SignalLine:
    """One signal of one side; `low` and `high` are as long as the view's `times`, None without a value.

    Without bins `high` is empty: every value is in `low`. `points` is how many there were.
    """

    signal: str
    side: str
    unit: str
    points: int
    low: tuple[float | None, ...]
    high: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class SignalsView:
    """All signals of a phase over common times, in seconds from the start of its traffic.

    `bin_s` is the width of a bin in seconds, None where the points stand as they came. `left_out` is how
    many series there are beside those drawn.
    """

    times: tuple[float, ...]
    bin_s: float | None
    lines: tuple[SignalLine, ...]
    left_out: int = 0
    sources: tuple[Ref, ...] = ()


def signals_view(
    series: Sequence[SignalSeries], start_s: float, phase: str, places: Places
) -> SignalsView | None:
    """The series that have a point; None when none has. `start_s` in seconds since the epoch."""
    kept = [one for one in series if one.points]
    drawn = kept[:SERIES_DRAWN]
    if not drawn:
        return None
    arrays = [np.array(one.points, dtype=float) for one in drawn]
    times = np.unique(np.concatenate([points[:, 0] for points in arrays]))
    bin_s = None
    if len(times) <= MOST_TIMES:
        lines = tuple(
            _line(one, _placed(points, times), ()) for one, points in zip(drawn, arrays, strict=True)
        )
    else:
        first, width = float(times[0]), float(times[-1] - times[0]) / BINS
        bin_s = figure(width)
        lines = tuple(
            _line(one, *_binned(points, first, width)) for one, points in zip(drawn, arrays, strict=True)
        )
        times = first + np.arange(BINS) * width
    return SignalsView(
        times=tuple(figure(float(at) - start_s) for at in times),
        bin_s=bin_s,
        lines=lines,
        left_out=len(kept) - len(drawn),
        sources=places.beneath(f"metrics/{phase}"),
    )


Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]
Points = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def _line(one: SignalSeries, low: Numbers, high: Numbers | tuple[()]) -> SignalLine:
    return SignalLine(
        short(one.signal), short(one.side), short(one.unit, 20), len(one.points), _plain(low), _plain(high)
    )


def _plain(values: Numbers | tuple[()]) -> tuple[float | None, ...]:
    return tuple(figure(float(value)) if np.isfinite(value) else None for value in values)


def _placed(points: Points, times: Numbers) -> Numbers:
    """The values at the common times; NaN where there is none. Of two at one time, the later one counts."""
    values = np.full(len(times), np.nan)
    values[np.searchsorted(times, points[:, 0])] = points[:, 1]
    return values


def _binned(points: Points, first: float, width: float) -> tuple[Numbers, Numbers]:
    """Lowest and highest value of each bin, so that no spike is lost; NaN for a bin without a value."""
    finite = points[np.isfinite(points[:, 1])]
    bins = np.minimum(((finite[:, 0] - first) / width).astype(int), BINS - 1)
    low, high = np.full(BINS, np.inf), np.full(BINS, -np.inf)
    np.minimum.at(low, bins, finite[:, 1])
    np.maximum.at(high, bins, finite[:, 1])
    return low, high
