"""Several metrics, one verdict, one alpha."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.judge import outcomes

from rollbook.errors import BadInputError
from rollbook.judge.model import Block, MetricVerdict, Verdict
from rollbook.judge.panel import Panel, split_alpha
from rollbook.judge.rates import RateJudge, RatesJudge
from rollbook.judge.standing import RateMetric

WEIGHTS = {"errors": 0.5, "p95": 0.25, "memory": 0.25}


def verdict(name: str, state: Verdict, e_value: float | None = 1.0) -> MetricVerdict:
    """A metric's verdict with its part of alpha 0.01."""
    nothing = RateJudge(RateMetric(name, 0.01 * WEIGHTS.get(name, 1.0))).look(0.0, None)
    return replace(nothing, verdict=state, e_value=e_value)


def look(*states: Verdict, warns: Verdict | None = None) -> Verdict:
    metrics = [verdict(name, state) for name, state in zip(WEIGHTS, states, strict=True)]
    return Panel(0.01, WEIGHTS).look([*metrics, *([verdict("split", warns)] if warns else [])]).verdict


def test_alpha_is_shared_by_weight() -> None:
    """The parts sum to the whole."""
    parts = split_alpha(0.01, {"errors": 2, "p95": 1, "p99": 1})

    assert {"errors": 0.005, "p95": 0.0025, "p99": 0.0025} == parts


@pytest.mark.parametrize("weights", [{}, {"errors": 0.0}, {"errors": -1.0}, {"errors": math.nan}])
def test_weights_have_to_be_above_0(weights: dict[str, float]) -> None:
    """And there has to be one."""
    with pytest.raises(BadInputError):
        split_alpha(0.01, weights)


HARMFUL, SAFE, UNDECIDED, NO_DATA = Verdict.HARMFUL, Verdict.SAFE, Verdict.UNDECIDED, Verdict.NO_DATA


@pytest.mark.parametrize(
    ("states", "warns", "whole"),
    [
        ((SAFE, SAFE, SAFE), None, SAFE),
        ((SAFE, SAFE, SAFE), UNDECIDED, SAFE),
        ((SAFE, SAFE, SAFE), HARMFUL, UNDECIDED),
        ((SAFE, SAFE, HARMFUL), None, HARMFUL),
        ((NO_DATA, NO_DATA, HARMFUL), None, HARMFUL),
        ((SAFE, SAFE, UNDECIDED), None, UNDECIDED),
        ((SAFE, SAFE, NO_DATA), None, UNDECIDED),
        ((NO_DATA, NO_DATA, NO_DATA), None, NO_DATA),
        ((NO_DATA, NO_DATA, NO_DATA), SAFE, NO_DATA),
    ],
)
def test_the_verdict_in_all_follows_from_each(
    states: tuple[Verdict, ...], warns: Verdict | None, whole: Verdict
) -> None:
    """One harmful is enough, safe needs all; a metric without data is never good news."""
    assert whole is look(*states, warns=warns)


def test_metrics_that_each_show_little_may_show_it_together() -> None:
    """The mean of e-values by weight: none reaches its own bound, the mean reaches 100. It stays harmful."""
    panel = Panel(0.01, {"errors": 1, "p95": 1})
    metrics = [
        replace(verdict(name, UNDECIDED, e_value), alpha=0.005)
        for name, e_value in (("errors", 150), ("p95", 90))
    ]
    first = panel.look(metrics)
    after = panel.look([replace(one, e_value=1.0) for one in metrics])

    assert (HARMFUL, 120.0) == (first.verdict, first.e_value)
    assert "all of them together do" in first.sentence
    assert (HARMFUL, 1.0, pytest.approx(1 / 120)) == (after.verdict, after.e_value, after.p_value)


def test_the_sentence_is_that_of_the_metric_which_decides() -> None:
    """Harmful names it; undecided says what is waited for."""
    panel = Panel(0.01, WEIGHTS)
    waits = panel.look([verdict("errors", SAFE), verdict("p95", UNDECIDED), verdict("memory", NO_DATA)])
    broken = panel.look([verdict("errors", SAFE), verdict("p95", HARMFUL), verdict("memory", NO_DATA)])

    assert "Too little is known to decide: p95 undecided; memory no-data." == waits.sentence
    assert broken.sentence.startswith("p95: ")


def test_a_metric_cannot_take_more_than_its_part() -> None:
    """Judged at the whole alpha, or not at all, it is refused."""
    panel = Panel(0.01, {"errors": 1, "p95": 1})
    with pytest.raises(BadInputError, match="its part is"):
        panel.look([replace(verdict("errors", SAFE), alpha=0.01), replace(verdict("p95", SAFE), alpha=0.005)])
    with pytest.raises(BadInputError, match="was not judged"):
        panel.look([replace(verdict("errors", SAFE), alpha=0.005)])


def test_false_alarms_of_all_metrics_are_alpha_in_all() -> None:
    """100 healthy canaries with four metrics that are one and the same, or their own, at alpha 0.05."""
    rng = np.random.default_rng(61)
    names = ("a", "b", "c", "d")
    parts = split_alpha(0.05, dict.fromkeys(names, 1.0))
    alarms = 0
    for _ in range(100):
        panel = Panel(0.05, dict.fromkeys(names, 1.0))
        judge = RatesJudge([RateMetric(name, parts[name]) for name in names])
        for row in range(15):
            own = [Block(90, int(rng.binomial(90, 0.05)), 10, int(rng.binomial(10, 0.05))) for _ in range(3)]
            found = panel.look(judge.look(row, [own[0], *own]))
        alarms += found.verdict is HARMFUL

    assert alarms <= outcomes.most(100, 0.05)
