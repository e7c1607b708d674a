"""The e-variable of one block: at most 1 on average while nothing is wrong, by counting all outcomes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.judge import outcomes

from rollbook.judge.evariable import log_e
from rollbook.judge.model import Margin
from rollbook.judge.wealth import HARM_EFFECTS, log_factors

shares = st.floats(0.0, 1.0)
beliefs = st.floats(0.0005, 0.9)
few = st.integers(1, 4)
MARGINS = (Margin(0.01), Margin(0.2), Margin(0.5, relative=True), Margin(3.0, relative=True))


def wide(n_s: float, k_s: float, n_c: float, k_c: float) -> tuple[np.ndarray, ...]:
    return tuple(np.array([float(one)]) for one in (n_s, k_s, n_c, k_c))


def expected_factors(
    n_s: int, n_c: int, s: float, c: float, belief: float, rho: float, margin: Margin
) -> np.ndarray:
    """Mean of each bet's factor, harm and safe, over all outcomes of a block."""
    mean = np.zeros((2, 1 + len(HARM_EFFECTS)))
    for counts, chance in outcomes.block(n_s, n_c, s, c):
        row = tuple(np.array(float(one)) for one in counts)
        factors = log_factors(row, np.array(belief), np.array(rho), margin.slope, margin.shift)
        mean += chance * np.exp(factors)
    return mean


@settings(max_examples=120, derandomize=True, deadline=None)
@given(few, few, shares, shares, beliefs, st.floats(0, 0.3), st.sampled_from(MARGINS))
def test_no_bet_on_harm_wins_on_average_while_the_canary_is_no_worse(
    n_s: int, n_c: int, one: float, other: float, belief: float, rho: float, margin: Margin
) -> None:
    """Whatever is believed of stable, for every canary that fails no more often."""
    mean = expected_factors(n_s, n_c, max(one, other), min(one, other), belief, rho, margin)

    assert mean[0].max() <= 1.0 + 1e-9


@settings(max_examples=120, derandomize=True, deadline=None)
@given(few, few, shares, shares, beliefs, st.floats(0, 0.3), st.sampled_from(MARGINS))
def test_no_bet_on_safe_wins_on_average_while_the_canary_is_beyond_the_margin(
    n_s: int, n_c: int, s: float, beyond: float, belief: float, rho: float, margin: Margin
) -> None:
    """Whatever is believed of stable, at the margin and beyond it."""
    s = s * (1.0 - margin.shift) / margin.slope
    border = margin.slope * s + margin.shift
    mean = expected_factors(n_s, n_c, s, border + beyond * (1.0 - border), belief, rho, margin)

    assert mean[1].max() <= 1.0 + 1e-9


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(shares, min_size=2, max_size=5), st.lists(shares, min_size=2, max_size=5), beliefs)
def test_requests_need_not_be_alike(stable: list[float], canary: list[float], belief: float) -> None:
    """Only the mean over the block has to be no worse: some requests may be likelier to fail than others."""
    s, c = sum(stable) / len(stable), sum(canary) / len(canary)
    if c > s:
        canary = [one * s / c for one in canary]
    mean = np.zeros(len(HARM_EFFECTS))
    for (k_s, p_s), (k_c, p_c) in itertools.product(
        enumerate(outcomes.unequal(stable)), enumerate(outcomes.unequal(canary))
    ):
        counts = wide(len(stable), k_s, len(canary), k_c)
        worse = belief + HARM_EFFECTS * (1.0 - belief)
        mean += p_s * p_c * np.exp(log_e(counts, np.array([belief]), worse))

    assert mean.max() <= 1.0 + 1e-9


def test_it_is_the_likelihood_ratio_at_the_mean_weighted_by_requests() -> None:
    """For 9 requests of stable and 1 of the canary, worked out by hand: (0.5/0.059) (0.99/0.941)^9."""
    found = log_e(wide(9, 0, 1, 1), np.array([0.01]), np.array([0.5]))

    assert pytest.approx(math.log(0.5 / 0.059) + 9 * math.log(0.99 / 0.941)) == float(found[0])


@pytest.mark.parametrize(
    ("stable", "canary", "margin"), [(0.005, 0.005, 0.01), (0.05, 0.03, 0.02), (0.2, 0.25, 0.1)]
)
def test_the_point_on_the_border_is_near_the_projection(stable: float, canary: float, margin: float) -> None:
    """What a bet grows by, were it right, is within 2 % of the best, which is searched for here."""
    n_s, n_c = 90, 10

    def divergence(p: float, q: float) -> float:
        return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))

    points = np.linspace(1e-6, 1 - margin - 1e-6, 200_001)
    best = min(n_s * divergence(stable, s) + n_c * divergence(canary, s + margin) for s in points)
    found = log_e(
        wide(n_s, n_s * stable, n_c, n_c * canary),
        np.array([stable]),
        np.array([canary]),
        np.array([1.0]),
        np.array([margin]),
    )

    assert pytest.approx(best, rel=0.02) == float(found[0])


@pytest.mark.parametrize("counts", [(90, 3, 0, 0), (0, 0, 10, 10), (0, 0, 0, 0)])
def test_a_block_without_one_side_says_nothing(counts: tuple[int, int, int, int]) -> None:
    """There is nothing to compare, however many of the other side failed."""
    row = tuple(np.array(float(one)) for one in counts)
    factors = log_factors(row, np.array(0.005), np.array(0.01), 1.0, 0.01)

    assert 0.0 == np.abs(factors).max()


def test_extreme_counts_stay_finite() -> None:
    """Millions of requests, all of them bad or none, at beliefs next to 0."""
    for k_s, k_c in itertools.product((0.0, 5e6), (0.0, 5e5)):
        row = tuple(np.array(one) for one in (5e6, k_s, 5e5, k_c))
        for belief in (1e-9, 0.5, 1 - 1e-9):
            factors = log_factors(row, np.array(belief), np.array(0.0), 1.0, 0.01)

            assert np.isfinite(factors).all()
