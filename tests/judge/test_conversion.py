"""The judge of an A/B test: no e-value above 1 on average, few false winners, and a real lift is found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.judge import outcomes

from rollbook.errors import BadInputError
from rollbook.judge.conversion import (
    LOG_ODDS,
    ConversionJudge,
    ConversionRules,
    Winner,
    believed,
    log_evidence,
    log_factors,
)

shares = st.floats(0.0, 1.0)
beliefs = st.floats(0.001, 0.95)
few = st.integers(1, 4)
effects = st.sampled_from([0.01, 0.03, 0.2])


def mean_factors(n_a: int, n_b: int, a: float, b: float, belief: float, effect: float) -> np.ndarray:
    """Mean of each bet's factor over all outcomes of one look."""
    mean = np.zeros((2, 12))
    for counts, chance in outcomes.block(n_a, n_b, a, b):
        row = tuple(np.array(float(one)) for one in counts)
        mean += chance * np.exp(log_factors((row[0], row[1], row[2], row[3]), np.array(belief), effect))
    return mean


@settings(max_examples=100, derandomize=True, deadline=None)
@given(few, few, shares, shares, beliefs, effects)
def test_no_bet_on_a_winner_wins_on_average_while_it_is_none(
    n_a: int, n_b: int, one: float, other: float, belief: float, effect: float
) -> None:
    """Whatever the rates and the beliefs: who is not better wins no bet on being better."""
    low, high = sorted((one, other))
    size = len(LOG_ODDS)

    assert mean_factors(n_a, n_b, high, low, belief, effect)[0, :size].max() <= 1.0 + 1e-9
    assert mean_factors(n_a, n_b, low, high, belief, effect)[1, :size].max() <= 1.0 + 1e-9


@settings(max_examples=100, derandomize=True, deadline=None)
@given(few, few, shares, shares, beliefs, effects)
def test_no_bet_on_likeness_wins_on_average_while_the_rates_differ(
    n_a: int, n_b: int, low: float, beyond: float, belief: float, effect: float
) -> None:
    """Whatever the rates and the beliefs: with a difference of the effect or more, no bet on less wins."""
    low *= 1.0 - effect
    high = low + effect + beyond * (1.0 - low - effect)
    size = len(LOG_ODDS)

    assert mean_factors(n_a, n_b, low, high, belief, effect)[0, size:].max() <= 1.0 + 1e-9
    assert mean_factors(n_a, n_b, high, low, belief, effect)[1, size:].max() <= 1.0 + 1e-9


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), shares, st.integers(0, 40), shares), min_size=1, max_size=12))
def test_variants_that_change_their_names_change_the_winner(
    looks: list[tuple[int, float, int, float]],
) -> None:
    """The judge treats both variants alike: with their counts exchanged it says the same of the other one."""
    rules = ConversionRules(effect=0.1)
    one, other = ConversionJudge(rules), ConversionJudge(rules)
    exchanged = {Winner.A: Winner.B, Winner.B: Winner.A}
    for at, (n_a, a, n_b, b) in enumerate(looks):
        first, second = (n_a, int(a * n_a)), (n_b, int(b * n_b))
        said, swapped = one.look(at, first, second), other.look(at, second, first)

        assert exchanged.get(said.verdict, said.verdict) == swapped.verdict
        assert math.isclose(said.e_a, swapped.e_b, rel_tol=1e-9)
        assert math.isclose(said.e_within, swapped.e_within, rel_tol=1e-9)
        assert math.isclose(said.low, -swapped.high, abs_tol=1e-9)


def simulated(
    experiments: int, looks: int, rate_a: float, rate_b: float, alpha: float
) -> tuple[float, float]:
    """Shares of experiments that name a and b as the winner at any of the looks, 40 users each."""
    rng = np.random.default_rng(20_260_311)
    parts, total = np.zeros((experiments, 2, 12)), np.zeros((experiments, 4))
    top = np.zeros((experiments, 2))
    for _ in range(looks):
        of_b = rng.binomial(40, 0.5, experiments)
        of_a = 40 - of_b
        counts = (of_a, rng.binomial(of_a, rate_a), of_b, rng.binomial(of_b, rate_b))
        rate = believed(total[:, 0] + total[:, 2], total[:, 1] + total[:, 3])
        parts += log_factors(counts, rate, 0.03)
        total += np.stack(counts, axis=-1)
        top = np.maximum(top, log_evidence(parts)[0])
    shown = top >= math.log(2.0 / alpha)
    return float(shown[:, 1].mean()), float(shown[:, 0].mean())


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.6])
def test_equal_variants_have_a_winner_no_more_often_than_alpha_allows(rate: float) -> None:
    """Of 400 A/A experiments, looked at 180 times each, at most 5 % name a winner."""
    a, b = simulated(400, 180, rate, rate, alpha=0.05)

    assert a + b <= 0.05


def test_a_lift_of_30_percent_is_found() -> None:
    """With 20 % converting on a and 26 % on b, at least 98 of 100 experiments of three minutes name b."""
    a, b = simulated(200, 180, 0.2, 0.26, alpha=0.05)

    assert a == 0.0
    assert b >= 0.98


def test_variants_that_are_alike_are_called_so() -> None:
    """The same rate on both sides ends in no difference, and the verdict keeps its moment and stays."""
    judge = ConversionJudge(ConversionRules(effect=0.05))
    said = [judge.look(float(at), (20, 4), (20, 4)) for at in range(1, 301)]

    first = next(one for one in said if one.verdict is not Winner.UNDECIDED)
    assert Winner.NO_DIFFERENCE == first.verdict
    assert first.first_s == said[-1].first_s
    assert "differ by less than 5 percentage points" in said[-1].sentence


def test_intervals_hold_the_rates_and_get_narrower() -> None:
    """Rates of 20 and 40 % are within their intervals, and b is named with its figures."""
    judge = ConversionJudge(ConversionRules())
    early = judge.look(1.0, (10, 2), (10, 4))
    for at in range(2, 60):
        late = judge.look(float(at), (10, 2), (10, 4))

    assert early.a.low < late.a.low <= 0.2 <= late.a.high < early.a.high
    assert late.b.low <= 0.4 <= late.b.high
    assert late.low <= 0.2 <= late.high
    assert Winner.B == late.verdict
    assert late.sentence.startswith("b converts more users than a: 236 of 590 (40 %) users of b converted")


def test_without_users_nothing_is_said() -> None:
    """A side without users leaves the verdict open, and the sentence says whose are missing."""
    said = ConversionJudge(ConversionRules()).look(1.0, (5, 1), (0, 0))

    assert Winner.UNDECIDED == said.verdict
    assert "Nothing can be said: no user of b was counted." == said.sentence
    assert None is said.b.rate


@pytest.mark.parametrize("bad", [(3, 4), (-1, 0), (2, -1)])
def test_counts_that_cannot_be_are_refused(bad: tuple[int, int]) -> None:
    """More conversions than users, and counts below 0, are refused."""
    with pytest.raises(BadInputError):
        ConversionJudge(ConversionRules()).look(1.0, bad, (1, 0))


@pytest.mark.parametrize(("alpha", "effect"), [(0.0, 0.03), (0.6, 0.03), (0.05, 0.0), (0.05, 1.0)])
def test_rules_that_cannot_be_are_refused(alpha: float, effect: float) -> None:
    """Alpha and effect have their bounds."""
    with pytest.raises(BadInputError):
        ConversionRules(alpha, effect)
