"""When two figures differ, and when the difference is noise. Pure arithmetic; seconds and shares 0..1.

Three rules, and no figure is told to be better or worse by any other:

- **A share of requests** that failed differs when its 99 % intervals (Clopper and Pearson) do not overlap.
- **p95** differs when its 99 % intervals do not overlap and it moved by more than 10 ms. The intervals lie
  between two ranks of the sorted latencies and hold whatever the distribution is (David and Nagaraja, Order
  Statistics, 7.1). They know nothing of a machine that was busier, which is what the 10 ms are for: p95 of
  one image lay between 5 and 13 ms in four releases on one machine.
- **A duration** was measured once in each run and has no interval. It differs when it moved by more than 10 %
  and by more than one second, or by more than the time between two looks of whoever watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rollbook.domain.accounting import clopper_pearson, percentile
from rollbook.domain.beta import beta_cdf

CONFIDENCE = 0.99
P95_STEP_S = 0.010
DURATION_STEP_S = 1.0
DURATION_STEP_SHARE = 0.10

RULES = (
    "A share of failed requests differs when the 99 % intervals (Clopper and Pearson) do not overlap.",
    "p95 differs when the 99 % intervals of both runs do not overlap and it moved by more than 10 ms.",
    "A duration, measured once in each run, differs when it moved by more than 10 % and by more than 1 s.",
    "Time to detect must also have moved by more than the time between two measurements of Argo's analysis.",
)
"""The rules as they are shown beside what they decided."""


class Change(StrEnum):
    """What became of a figure or a state."""

    SAME = "same"
    NOISE = "within noise"
    BETTER = "better"
    WORSE = "worse"
    DIFFERENT = "different"
    """It changed, and neither is better."""
    NO_DATA = "no data"
    """One of the runs does not have it."""


@dataclass(frozen=True)
class Judged:
    """What a rule says: the change, and its bounds, where it has any, for both runs."""

    change: Change
    before: tuple[float, float] | None = None
    after: tuple[float, float] | None = None

    @property
    def overlap(self) -> bool:
        """Whether the bounds have values in common; also where there are none."""
        if self.before is None or self.after is None:
            return True
        return self.before[0] <= self.after[1] and self.after[0] <= self.before[1]


def judge_share(before: tuple[int, int], after: tuple[int, int]) -> Judged:
    """Two shares of bad ones, each `(bad, all)`. More bad ones are worse; nothing at all is no data."""
    if not (before[1] and after[1]):
        return Judged(Change.NO_DATA)
    bounds = tuple(clopper_pearson(bad, of, CONFIDENCE) for bad, of in (before, after))
    return _apart(before[0] / before[1], after[0] / after[1], bounds[0], bounds[1], step=0.0)


def judge_p95(before: Sequence[float], after: Sequence[float]) -> Judged:
    """The 95th percentile of two samples of latencies. A longer one is worse; too few of them are no data."""
    old, new = percentile(before, 95), percentile(after, 95)
    bounds = quantile_interval(before, 0.95), quantile_interval(after, 0.95)
    if old is None or new is None or bounds[0] is None or bounds[1] is None:
        return Judged(Change.NO_DATA, *bounds)
    return _apart(old, new, bounds[0], bounds[1], step=P95_STEP_S)


def judge_duration(before: float | None, after: float | None, look_s: float = 0.0) -> Judged:
    """Two durations; `look_s` is the time between two looks of whoever watched, 0 if it was seen at once."""
    if before is None or after is None:
        return Judged(Change.NO_DATA)
    moved = abs(after - before)
    if moved == 0:
        return Judged(Change.SAME)
    if moved <= max(DURATION_STEP_S, look_s, DURATION_STEP_SHARE * max(before, after)):
        return Judged(Change.NOISE)
    return Judged(Change.WORSE if after > before else Change.BETTER)


def quantile_interval(sample: Sequence[float], share: float) -> tuple[float, float] | None:
    """Bounds that hold the quantile at `share` (within (0, 1)) with `CONFIDENCE`; None of too few values.

    The number of values below the quantile is binomial, so the ranks follow from the binomial distribution:
    P(the value of rank k is at most the quantile) = P(at least k of n lie below it) = I_share(k, n - k + 1).
    """
    n, tail = len(sample), (1 - CONFIDENCE) / 2
    low = _last_rank(n, share, 1 - tail)
    high = _last_rank(n, share, tail) + 1
    if low < 1 or high > n:
        return None
    ordered = sorted(sample)
    return ordered[low - 1], ordered[high - 1]


def _last_rank(n: int, share: float, probability: float) -> int:
    """The largest k in 0..n with P(at least k of n lie below the quantile) >= `probability`."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        if beta_cdf(middle, n - middle + 1, share) >= probability:
            low = middle
        else:
            high = middle - 1
    return low


def _apart(
    old: float, new: float, before: tuple[float, float], after: tuple[float, float], *, step: float
) -> Judged:
    if old == new:
        return Judged(Change.SAME, before, after)
    apart = Judged(Change.WORSE if new > old else Change.BETTER, before, after)
    return Judged(Change.NOISE, before, after) if apart.overlap or abs(new - old) <= step else apart
