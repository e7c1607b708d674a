"""The split of traffic, held against the weights that were set."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.judge import outcomes

from rollbook.errors import BadInputError
from rollbook.judge.model import Verdict
from rollbook.judge.split import CONCENTRATION, SplitJudge


def run(seed: int, odds: float, weights: list[float], n: int = 200) -> SplitJudge:
    """Looks at traffic in which the canary has `odds` times the odds that were set; the judge after them."""
    rng, judge = np.random.default_rng(seed), SplitJudge(alpha=0.05)
    for row, weight in enumerate(weights):
        got = odds * weight / (1 - weight)
        canary = int(rng.binomial(n, got / (1 + got)))
        judge.look(5.0 * row, n - canary, canary, weight)
    return judge


@settings(max_examples=15, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from((0.05, 0.2, 0.5))), min_size=3, max_size=3))
def test_evidence_is_1_on_average_while_the_split_is_as_set(looks: list[tuple[int, float]]) -> None:
    """Over all outcomes of three looks, with weights that change: exactly 1, for it is a martingale."""
    mean = 0.0
    for canaries in itertools.product(*(range(n + 1) for n, _ in looks)):
        judge, chance, said = SplitJudge(), 1.0, None
        for row, ((n, weight), canary) in enumerate(zip(looks, canaries, strict=True)):
            said = judge.look(row, n - canary, canary, weight)
            chance *= outcomes.chance(n, canary, weight)
        assert said is not None
        assert said.e_value is not None
        mean += chance * said.e_value

    assert pytest.approx(1.0) == mean


def test_it_is_the_ratio_of_a_beta_binomial_to_the_weight() -> None:
    """7 of 20 at weight 0.1, worked out with the Beta function."""
    said = SplitJudge().look(0.0, 13, 7, 0.1)
    a, b = 0.1 * CONCENTRATION, 0.9 * CONCENTRATION
    ratio = math.exp(
        math.lgamma(a + 7)
        + math.lgamma(b + 13)
        - math.lgamma(a + b + 20)
        - math.lgamma(a)
        - math.lgamma(b)
        + math.lgamma(a + b)
    ) / (0.1**7 * 0.9**13)

    assert pytest.approx(ratio) == said.e_value


def test_a_right_split_is_doubted_no_more_often_than_alpha() -> None:
    """150 streams of 20 looks at alpha 0.05, weights changing."""
    weights = [0.1] * 5 + [0.3] * 5 + [0.05] * 5 + [0.5] * 5
    last = [run(seed, 1.0, weights).look(999.0, 0, 0, None) for seed in range(150)]

    assert sum(one.verdict is Verdict.HARMFUL for one in last) <= outcomes.most(150, 0.05)


@pytest.mark.parametrize("weights", [[0.1] * 60, [0.1, 0.2, 0.4] * 20])
def test_a_wrong_split_is_found_though_weights_change(weights: list[float]) -> None:
    """Half as much again of the odds that were set; the sentence has both shares."""
    said = run(41, 1.5, weights).look(999.0, 0, 0, None)

    assert Verdict.HARMFUL is said.verdict
    assert said.sentence.startswith("Traffic is not split as it was set: the canary got ")


def test_a_right_split_becomes_safe() -> None:
    """When the interval lies within the tolerance."""
    said = run(42, 1.0, [0.1] * 60).look(999.0, 0, 0, None)

    assert Verdict.SAFE is said.verdict
    assert said.effect is not None
    assert -0.02 <= said.effect.low <= said.effect.high <= 0.02


def test_looks_in_which_nothing_is_split_are_left_out() -> None:
    """A weight that changed within the look, nobody, everybody: no data, and it is said."""
    judge = SplitJudge()
    said = [judge.look(row, 50, 50, weight) for row, weight in enumerate((None, 0.0, 1.0))][-1]

    assert Verdict.NO_DATA is said.verdict
    assert ("300 requests came while nothing was split, or weights changed.",) == said.warnings


@pytest.mark.parametrize(
    ("stable", "canary", "weight"), [(-1, 0, 0.1), (0, -1, 0.1), (1, 1, 1.1), (1, 1, math.nan)]
)
def test_what_cannot_be_is_refused(stable: int, canary: int, weight: float) -> None:
    """Counts below 0 and weights beyond 0 and 1."""
    with pytest.raises(BadInputError):
        SplitJudge().look(0.0, stable, canary, weight)
