"""A canary judged by all that its service counts."""

from __future__ import annotations

import math

import pytest

from rollbook.judge.asking import Sample
from rollbook.judge.canary import CanaryPanel, Rules
from rollbook.judge.model import Judgement, Verdict

COUNTERS = {"requests": "r", "errors": "e", "latency_buckets": "b", "memory": "m"}


class Side:
    """Running totals of one side, and its one process' memory."""

    def __init__(self) -> None:
        self.requests = self.errors = self.slow = 0
        self.memory = 50e6

    def more(self, requests: int, errors: int = 0, slow: int = 0, grown: float = 0.0) -> None:
        self.requests += requests
        self.errors += errors
        self.slow += slow
        self.memory += grown

    def sample(self) -> Sample:
        buckets = {0.1: self.requests - self.slow, 1.0: self.requests, math.inf: self.requests}
        return Sample(self.requests, self.errors, buckets, {"pod": self.memory})


def judged(looks: int, *, errors: int = 0, slow: int = 1, grown: float = 0.0, blind: int = 0) -> Judgement:
    """After so many looks, 1 s apart, 10 of them before the canary began, and `blind` without an answer."""
    panel = CanaryPanel(COUNTERS, Rules(margin=0.05, latency_margin=0.1), memory_settle_s=0.0)
    stable, canary = Side(), Side()
    found, _ = panel.look(-1.0, stable.sample(), None, None)
    for at in range(looks):
        stable.more(80, slow=4)
        if at >= 10:
            canary.more(20, errors, slow, grown)
        there = at >= 10
        weight, counted = (0.2, canary.sample()) if there else (None, None)
        found, _ = panel.look(float(at), stable.sample(), counted, weight)
    for at in range(looks, looks + blind):
        found, _ = panel.look(float(at), None, None, 0.2)
    return found


def names(found: Judgement, verdict: Verdict) -> set[str]:
    return {one.name for one in found.metrics if one.verdict is verdict}


def test_a_healthy_canary_is_safe_by_errors_and_latency() -> None:
    """Both have to be shown; split and memory have nothing against it."""
    found = judged(60)

    assert Verdict.SAFE is found.verdict
    assert {"errors", "p95"} <= names(found, Verdict.SAFE)
    assert {"errors", "p95", "split", "memory"} == {one.name for one in found.metrics}


def test_what_was_safe_is_not_called_safe_while_nobody_can_look() -> None:
    """Without an answer of Prometheus nothing is known of now; what is harmful stays so."""
    assert Verdict.NO_DATA is judged(60, blind=3).verdict
    assert Verdict.HARMFUL is judged(60, errors=4, blind=3).verdict


@pytest.mark.parametrize(("worse", "metric"), [({"errors": 4}, "errors"), ({"slow": 10}, "p95")])
def test_a_canary_that_is_worse_in_one_metric_is_harmful(worse: dict[str, int], metric: str) -> None:
    """The sentence names that metric."""
    found = judged(40, **worse)

    assert (Verdict.HARMFUL, {metric}) == (found.verdict, names(found, Verdict.HARMFUL))
    assert found.sentence.startswith(f"{metric}: ")


def test_memory_that_grows_keeps_a_canary_from_being_safe() -> None:
    """It condemns none: readings that follow each other are alike."""
    found = judged(60, grown=1e6)

    assert (Verdict.UNDECIDED, {"memory"}) == (found.verdict, names(found, Verdict.HARMFUL))


def test_parts_of_alpha_sum_to_the_whole() -> None:
    """With latency and without."""
    panels = [
        CanaryPanel(counters, Rules(alpha=0.01)) for counters in (COUNTERS, {"requests": "r", "errors": "e"})
    ]

    assert [pytest.approx(0.01)] * 2 == [sum(one.alphas.values()) for one in panels]
    assert [(), ("latency", "memory")] == [one.unjudged for one in panels]


def test_a_look_at_which_a_process_went_compares_nothing() -> None:
    """Sums over processes fall when one of them ends; the look after it counts again."""
    panel = CanaryPanel(COUNTERS, Rules())
    blocks = []
    for at, (requests, slow) in enumerate([(1000, 50), (1100, 55), (600, 30), (700, 35)]):
        one = Sample(requests, 0, {0.1: requests - slow, math.inf: requests}, {})
        _, block = panel.look(float(at), one, None, None)
        blocks.append(block)

    assert [False, True, False, True] == [block is not None for block in blocks]


def test_a_restarted_process_is_another_series_of_memory() -> None:
    """A fall by half and more is not a slope."""
    panel = CanaryPanel(COUNTERS, Rules(margin=0.05), memory_settle_s=0.0)
    found = None
    for at in range(40):
        memory = {"pod": 90e6 if at < 20 else 30e6}
        one = Sample(100 * at, 0, {0.1: 100 * at, math.inf: 100 * at}, memory)
        found, _ = panel.look(float(at), one, one, 0.5)

    assert found is not None
    [memory_verdict] = [one for one in found.metrics if one.name == "memory"]
    assert memory_verdict.effect is not None
    assert 0.0 == memory_verdict.effect.value


def test_what_no_user_feels_is_not_judged() -> None:
    """Edges below 50 ms are passed over, even where stable has its p95 there."""
    panel = CanaryPanel(COUNTERS, Rules())
    found = None
    for at in range(30):
        stable = {0.005: 95 * at, 0.075: 100 * at, math.inf: 100 * at}
        canary = {0.005: 50 * at, 0.075: 100 * at, math.inf: 100 * at}
        sides = [Sample(100 * at, 0, buckets, {}) for buckets in (stable, canary)]
        found, _ = panel.look(float(at), *sides, 0.5)

    assert found is not None
    [p95] = [one for one in found.metrics if one.name == "p95"]
    assert (0, Verdict.SAFE) == (p95.counts.canary_errors, p95.verdict)
    assert "0.075 s" in p95.sentence
