"""Intervals that hold at every look."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.judge import outcomes

from rollbook.judge import interval


def ends(n: float, k: float, alpha: float) -> tuple[float, float]:
    low, high = interval.share(np.array([n]), np.array([k]), np.array([alpha]))
    return float(low[0]), float(high[0])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(1, 10**7), st.floats(0, 1), st.floats(1e-6, 0.3))
def test_the_ends_are_where_the_likelihood_ratio_is_alpha(n: int, part: float, alpha: float) -> None:
    """At each end within (0, 1) the mixture is 1/alpha times as likely; what was counted lies between."""
    k = round(n * part)
    low, high = ends(n, k, alpha)
    mixture = math.lgamma(k + 0.5) + math.lgamma(n - k + 0.5) - math.lgamma(n + 1) - math.log(math.pi)

    assert low <= k / n <= high
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            ratio = mixture - k * math.log(end) - (n - k) * math.log1p(-end)
            assert pytest.approx(-math.log(alpha), rel=1e-3, abs=1e-3) == ratio


def test_none_bad_and_all_bad_reach_the_ends() -> None:
    """0 and 1 are not excluded when nothing speaks against them, and before anything was counted."""
    assert (0.0, 1.0) == ends(0, 0, 0.01)
    assert 0.0 == ends(50, 0, 0.01)[0]
    assert 1.0 == ends(50, 50, 0.01)[1]


@pytest.mark.parametrize("share", [0.005, 0.3])
def test_it_misses_at_any_look_no_more_often_than_alpha(share: float) -> None:
    """1,000 streams of 300 looks at alpha 0.05: fewer misses than chance explains."""
    rng = np.random.default_rng(31)
    k = rng.binomial(20, share, (300, 1000)).cumsum(axis=0).astype(np.float64)
    n = np.broadcast_to((np.arange(300) + 1.0)[:, None] * 20, k.shape)
    low, high = interval.share(n, k, np.full(k.shape, 0.05))

    assert int(((share < low) | (share > high)).any(axis=0).sum()) <= outcomes.most(1000, 0.05)


def test_a_difference_has_the_ends_that_are_farthest() -> None:
    """Each side at half of alpha."""
    low, high = interval.difference(np.array([[2000.0, 10.0, 300.0, 12.0]]), np.array([0.02]))
    stable, canary = ends(2000, 10, 0.01), ends(300, 12, 0.01)

    assert pytest.approx((canary[0] - stable[1], canary[1] - stable[0])) == (float(low[0]), float(high[0]))
