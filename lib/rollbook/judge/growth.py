"""Does the canary's memory grow, and stable's not? Slopes by Theil and Sen, with exact intervals.

The slope is the median of the slopes between all pairs of readings (Theil 1950; Sen, Journal of the
American Statistical Association 63, 1968). Its interval comes from Kendall's statistic: with the true slope
taken out, each order of n readings is alike likely, and the number of discordant pairs has the distribution
of inversions of a random permutation. Readings of several processes are compared within each process only,
and their distributions added, as in the seasonal test of Hirsch and Slack (Water Resources Research 20,
1984). Ties make that distribution wider than it is, so intervals stay conservative.

Looking often is paid for: intervals are made when readings have grown by a quarter, and the j-th is given
alpha/(j (j + 1)), which sums to alpha.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rollbook.errors import BadInputError
from rollbook.judge.evariable import Floats
from rollbook.judge.model import Block, Effect, MetricVerdict, Verdict, Window, check_alpha

LEAST = 8
"""Readings of a side below which no interval is made."""
MOST = 60
"""Readings of a process that are kept: every second one is dropped when there are more."""
GROWN = 1.25
ALIKE = 0.3
_ALIKE = (
    "Readings that follow each other are alike (correlation {:.2g}): the interval is too narrow, and "
    "alpha does not hold."
)


@dataclass(frozen=True)
class Slope:
    """Median slope and its interval, in units a second; infinite ends where too little is known."""

    value: float
    low: float
    high: float
    readings: int

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends of the interval."""
        return self.low, self.high


def theil_sen(series: Sequence[Sequence[tuple[float, float]]], alpha: float) -> Slope | None:
    """The common slope of series of (seconds, value), compared within each; None without two readings of one.

    The interval misses the truth with probability `alpha` at most, if deviations from the line are alike
    distributed and independent.
    """
    slopes: list[Floats] = []
    sizes = []
    for readings in series:
        if len(readings) < 2:
            continue
        at_s, value = (np.array(column, dtype=np.float64) for column in zip(*readings, strict=True))
        first, second = np.triu_indices(len(readings), 1)
        slopes.append((value[second] - value[first]) / (at_s[second] - at_s[first]))
        sizes.append(len(readings))
    if not slopes:
        return None
    ordered = np.sort(np.concatenate(slopes))
    cut = _cut(sizes, alpha / 2.0)
    low, high = (ordered[cut], ordered[-1 - cut]) if cut >= 0 else (-np.inf, np.inf)
    return Slope(float(np.median(ordered)), float(low), float(high), sum(sizes))


def inversions(sizes: Sequence[int]) -> Floats:
    """Distribution of the number of discordant pairs, summed over permutations of as many things each.

    Inserting the i-th of n things adds 0 to i - 1 inversions, alike likely (Knuth, Art of Computer
    Programming 3, section 5.1.1).
    """
    chances: Floats = np.ones(1)
    for size in sizes:
        for things in range(2, size + 1):
            chances = np.convolve(chances, np.full(things, 1.0 / things))
    return chances


def _cut(sizes: Sequence[int], tail: float) -> int:
    """The largest q with P(discordant pairs <= q) <= `tail`, -1 if there is none."""
    return int(np.searchsorted(np.cumsum(inversions(sizes)), tail, side="right")) - 1


class GrowthJudge:
    """Takes readings of memory, one look after the other.

    Harmful is a canary that grows faster than stable, and than not at all, by more than `margin` (bytes a
    second); safe is one that grows faster by less. `settle_s` are seconds after a process' first reading
    that are passed over, for caches fill up at first.
    """

    def __init__(
        self,
        name: str = "memory",
        *,
        alpha: float = 0.01,
        margin: float = 0.0,
        settle_s: float = 30.0,
        query: str = "",
    ) -> None:
        if not margin >= 0 or not settle_s >= 0:
            raise BadInputError(f"a margin of {margin:g} and {settle_s:g} s to settle cannot be")
        self.name, self.alpha, self.margin, self.settle_s = name, check_alpha(alpha), margin, settle_s
        self.query = query
        self._sides: tuple[dict[str, _Series], dict[str, _Series]] = ({}, {})
        self._looks, self._next = 0, float(LEAST)
        self._window: Window | None = None
        self._last: tuple[Slope, Slope, float] | None = None
        self._first: tuple[float | None, float | None] = (None, None)
        self._harmful = False

    def look(self, at_s: float, stable: Mapping[str, float], canary: Mapping[str, float]) -> MetricVerdict:
        """The verdict after readings in bytes, by process; one that restarted needs a new name, as `pod/2`.

        BadInputError when time does not go on.
        """
        if self._window and at_s <= self._window.ends_s:
            raise BadInputError(f"{at_s:g} s is not after the last reading, at {self._window.ends_s:g} s")
        self._window = Window(self._window.begins_s if self._window else at_s, at_s)
        for side, readings in zip(self._sides, (stable, canary), strict=True):
            for process, value in readings.items():
                side.setdefault(process, _Series(at_s)).add(at_s, float(value), self.settle_s)
        taken = min(sum(one.taken for one in side.values()) for side in self._sides)
        if taken >= self._next:
            self._next = taken * GROWN
            self._judge(at_s)
        return self._told()

    def _judge(self, at_s: float) -> None:
        self._looks += 1
        alpha = self.alpha / (self._looks * (self._looks + 1))
        stable, canary = (
            theil_sen([one.readings for one in side.values()], alpha / 2.0) for side in self._sides
        )
        if stable is None or canary is None or not np.isfinite([*stable.ends, *canary.ends]).all():
            return
        correlation = max(one.correlation(canary.value) for one in self._sides[1].values())
        self._last = stable, canary, correlation
        self._harmful = self._harmful or canary.low - max(stable.high, 0.0) > self.margin
        safe = self._safe()
        self._first = (
            at_s if self._harmful and self._first[0] is None else self._first[0],
            at_s if safe and self._first[1] is None else self._first[1],
        )

    def _safe(self) -> bool:
        return self._last is not None and self._last[1].high - max(self._last[0].low, 0.0) <= self.margin

    def _told(self) -> MetricVerdict:
        if self._last is None:
            verdict, effect = Verdict.NO_DATA, None
            warnings: tuple[str, ...] = ()
        else:
            stable, canary, correlation = self._last
            verdict = Verdict.UNDECIDED
            if self._harmful:
                verdict = Verdict.HARMFUL
            elif self._safe():
                verdict = Verdict.SAFE
            difference = canary.value - stable.value
            low, high = canary.low - stable.high, canary.high - stable.low
            effect = Effect(difference, low, high, 1.0 - self.alpha, "bytes/s")
            warnings = (_ALIKE.format(correlation),) if correlation > ALIKE else ()
        counts = [sum(one.taken for one in side.values()) for side in self._sides]
        return MetricVerdict(
            name=self.name,
            verdict=verdict,
            alpha=self.alpha,
            e_value=None,
            p_value=None,
            e_safe=None,
            p_safe=None,
            effect=effect,
            counts=Block(stable_total=counts[0], canary_total=counts[1]),
            window=self._window,
            query=self.query,
            warnings=warnings,
            sentence=_sentence(verdict, self._last, counts),
            first_harmful_s=self._first[0],
            first_safe_s=self._first[1],
        )


class _Series:
    """Readings of one process, thinned out evenly."""

    def __init__(self, begins_s: float) -> None:
        self.begins_s = begins_s
        self.readings: list[tuple[float, float]] = []
        self.taken = 0
        self._step = 1

    def add(self, at_s: float, value: float, settle_s: float) -> None:
        if at_s - self.begins_s < settle_s:
            return
        if self.taken % self._step == 0:
            self.readings.append((at_s, value))
        self.taken += 1
        if len(self.readings) > MOST:
            self.readings = self.readings[::2]
            self._step *= 2

    def correlation(self, slope: float) -> float:
        """Lag-1 correlation of what is left when the line is taken out; 0 where nothing is left."""
        rest = np.array([value - slope * at_s for at_s, value in self.readings])
        rest = rest - rest.mean() if len(rest) else rest
        whole = float(rest @ rest)
        return float(rest[1:] @ rest[:-1]) / whole if whole > 0 else 0.0


def _sentence(verdict: Verdict, last: tuple[Slope, Slope, float] | None, counts: Sequence[int]) -> str:
    if last is None:
        return f"Nothing can be said yet: {counts[1]} readings of the canary and {counts[0]} of stable."
    stable, canary, _ = last
    grows = f"{_mega(canary.value)} MB an hour in the canary, {_mega(stable.value)} in stable"
    if verdict is Verdict.HARMFUL:
        return f"The canary's memory grows and stable's does not keep up with it: {grows}."
    if verdict is Verdict.SAFE:
        return f"The canary's memory grows no faster than the margin allows: {grows}."
    return f"Too little is known of memory: {grows}."


def _mega(per_second: float) -> str:
    return f"{per_second * 3600 / 1e6:.3g}"
