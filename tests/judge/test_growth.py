"""Memory that grows: slopes with exact intervals, and what is made of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from tests.judge import outcomes

from rollbook.errors import BadInputError
from rollbook.judge.growth import GrowthJudge, inversions, theil_sen
from rollbook.judge.model import MetricVerdict, Verdict


def test_inversions_are_counted_as_in_all_permutations() -> None:
    """Of 5 things, and of 3 and 4 together."""

    def counted(size: int) -> list[int]:
        return [
            sum(one > other for one, other in itertools.combinations(order, 2))
            for order in itertools.permutations(range(size))
        ]

    alone = np.bincount(counted(5)) / math.factorial(5)
    together = np.bincount([a + b for a in counted(3) for b in counted(4)]) / (6 * 24)

    assert pytest.approx(alone) == inversions([5])
    assert pytest.approx(together) == inversions([3, 4])


def test_the_slope_is_the_median_of_all_pairs() -> None:
    """One reading that is far off does not move it."""
    line = [(float(at), 3.0 * at + 1.0) for at in range(9)]
    line[4] = (4.0, 1000.0)
    found = theil_sen([line], 0.05)

    assert found is not None
    assert 3.0 == found.value
    assert found.low <= 3.0 <= found.high
    assert theil_sen([[(0.0, 1.0)]], 0.05) is None


def test_few_readings_have_no_interval() -> None:
    """Of three readings every order has probability 1/6: nothing can be excluded at 0.05."""
    found = theil_sen([[(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]], 0.05)

    assert found is not None
    assert (-math.inf, math.inf) == found.ends


def test_the_interval_misses_no_more_often_than_alpha() -> None:
    """600 simulated pairs of processes with heavy-tailed readings, slope 2, alpha 0.1."""
    rng = np.random.default_rng(51)
    misses = 0
    for _ in range(600):
        series = [
            [(float(at), 2.0 * at + noise) for at, noise in enumerate(rng.standard_t(2, 9))] for _ in "ab"
        ]
        found = theil_sen(series, 0.1)
        assert found is not None
        misses += not found.low <= 2.0 <= found.high

    assert misses <= outcomes.most(600, 0.1)


def watched(
    leak: float, *, margin: float = 2e4, warm_s: float = 0.0, looks: int = 120
) -> list[MetricVerdict]:
    """Looks each 5 s at two pods of stable and one of the canary that leaks so many bytes a second."""
    rng = np.random.default_rng(52)
    judge = GrowthJudge(margin=margin)
    said = []
    for row in range(looks):
        at_s = 5.0 * row
        noise = rng.normal(0, 2e5, 3)
        warming = 1e6 * min(at_s, warm_s)
        canary = {"c/0": 5e7 + leak * at_s + warming + noise[2]}
        said.append(judge.look(at_s, {"a/0": 5e7 + noise[0], "b/0": 5e7 + noise[1]}, canary))
    return said


def test_a_leak_is_harmful_and_no_leak_is_safe() -> None:
    """100 KB a second against a margin of 20; the sentence has both slopes in MB an hour."""
    leaks, still = watched(1e5), watched(0.0)

    assert Verdict.NO_DATA is leaks[3].verdict
    assert (Verdict.HARMFUL, Verdict.SAFE) == (leaks[-1].verdict, still[-1].verdict)
    assert "MB an hour in the canary" in leaks[-1].sentence
    assert leaks[-1].effect is not None
    assert leaks[-1].effect.low <= 1e5 <= leaks[-1].effect.high


def test_memory_that_fills_up_at_first_is_no_leak() -> None:
    """30 seconds are passed over after a process began."""
    assert Verdict.HARMFUL not in {one.verdict for one in watched(0.0, warm_s=30.0)}


def test_a_restart_is_another_process() -> None:
    """A leak that is ended by restarts is found still: slopes are of pairs within a process."""
    judge = GrowthJudge(margin=2e4, settle_s=0.0)
    rng = np.random.default_rng(53)
    said = [
        judge.look(
            5.0 * row,
            {"a/0": 5e7 + rng.normal(0, 2e5)},
            {f"c/{row // 20}": 5e7 + 1e5 * 5.0 * (row % 20) + rng.normal(0, 2e5)},
        )
        for row in range(100)
    ]

    assert Verdict.HARMFUL is said[-1].verdict


def test_readings_that_are_alike_are_said() -> None:
    """A random walk is no line with independent deviations."""
    rng = np.random.default_rng(54)
    judge = GrowthJudge(settle_s=0.0)
    walk = 5e7 + rng.normal(0, 1e5, (80, 2)).cumsum(axis=0)
    said = [judge.look(5.0 * row, {"a": one[0]}, {"c": one[1]}) for row, one in enumerate(walk)]

    assert "Readings that follow each other are alike" in said[-1].warnings[0]


def test_looking_again_is_paid_for() -> None:
    """The j-th interval is at alpha/(j (j + 1)), half of it a side: the first two, at 8 and 10 readings."""
    rng = np.random.default_rng(55)
    judge = GrowthJudge(alpha=0.1, settle_s=0.0)
    readings = 5e7 + rng.normal(0, 2e5, (10, 2))
    said = [judge.look(5.0 * row, {"a": one[0]}, {"c": one[1]}) for row, one in enumerate(readings)]
    effects = []
    for looks, taken in ((1, 8), (2, 10)):
        alpha = 0.1 / (looks * (looks + 1)) / 2
        stable, canary = (
            theil_sen([[(5.0 * row, one) for row, one in enumerate(readings[:taken, side])]], alpha)
            for side in (0, 1)
        )
        assert stable is not None
        assert canary is not None
        effects.append((canary.low - stable.high, canary.high - stable.low))

    assert effects == [
        (one.effect.low, one.effect.high) for one in (said[7], said[9]) if one.effect is not None
    ]


def test_time_has_to_go_on() -> None:
    """A second reading of one moment has no slope to the first."""
    judge = GrowthJudge()
    judge.look(5.0, {"a": 1.0}, {"c": 1.0})

    with pytest.raises(BadInputError):
        judge.look(5.0, {"a": 1.0}, {"c": 1.0})
    with pytest.raises(BadInputError):
        GrowthJudge(margin=-1.0)
