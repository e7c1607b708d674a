"""When two figures differ: the three rules, at their borders."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.history.noise import (
    Change,
    judge_duration,
    judge_p95,
    judge_share,
    quantile_interval,
)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ((0, 2600), (0, 2600), Change.SAME),
        ((0, 2600), (1, 2600), Change.NOISE),
        ((5, 2600), (12, 2600), Change.NOISE),
        ((0, 2600), (60, 2600), Change.WORSE),
        ((60, 2600), (0, 2600), Change.BETTER),
        ((0, 3), (3, 3), Change.NOISE),
        ((0, 0), (0, 2600), Change.NO_DATA),
        ((0, 2600), (0, 0), Change.NO_DATA),
    ],
)
def test_a_share_differs_when_its_intervals_are_apart(
    before: tuple[int, int], after: tuple[int, int], change: Change
) -> None:
    """Few failures more or less are noise, many are not, and three requests prove nothing."""
    assert change is judge_share(before, after).change


@pytest.mark.parametrize(
    ("before", "after", "look_s", "change"),
    [
        (10.0, 10.0, 0.0, Change.SAME),
        (10.0, 10.9, 0.0, Change.NOISE),
        (0.1, 0.9, 0.0, Change.NOISE),
        (100.0, 109.0, 0.0, Change.NOISE),
        (100.0, 112.0, 0.0, Change.WORSE),
        (4.6, 9.4, 5.0, Change.NOISE),
        (4.6, 9.7, 5.0, Change.WORSE),
        (9.7, 4.6, 0.0, Change.BETTER),
        (None, 4.6, 0.0, Change.NO_DATA),
        (4.6, None, 0.0, Change.NO_DATA),
    ],
)
def test_a_duration_differs_by_more_than_a_second_and_a_tenth(
    before: float | None, after: float | None, look_s: float, change: Change
) -> None:
    """A duration was measured once: it must move by more than a second, a tenth, and one look of Argo's."""
    assert change is judge_duration(before, after, look_s).change


def latencies(middle_s: float, number: int = 2000, seed: int = 5) -> list[float]:
    dice = random.Random(seed)  # noqa: S311 - test data wants the same figures each time
    return [middle_s * dice.lognormvariate(0, 0.3) for _ in range(number)]


def test_p95_differs_when_it_moved_far_and_for_certain() -> None:
    """Twice as slow is slower; a few milliseconds, or a handful of requests, decide nothing."""
    fast = latencies(0.020)

    assert Change.WORSE is judge_p95(fast, latencies(0.040, seed=6)).change
    assert Change.BETTER is judge_p95(latencies(0.040, seed=6), fast).change
    assert Change.NOISE is judge_p95(fast, latencies(0.020, seed=6)).change
    assert Change.NOISE is judge_p95(latencies(0.004), latencies(0.008, seed=6)).change
    assert Change.NO_DATA is judge_p95(fast, latencies(0.040, number=50)).change
    assert Change.NO_DATA is judge_p95(fast, []).change
    assert Change.SAME is judge_p95(fast, fast).change


def test_intervals_that_are_apart_by_little_are_told_from_those_that_overlap() -> None:
    """What moved for certain, but by less than 10 ms, is noise whose bounds do not overlap."""
    judged = judge_p95(latencies(0.004), latencies(0.008, seed=6))

    assert (Change.NOISE, False) == (judged.change, judged.overlap)


def test_the_interval_holds_the_quantile_as_often_as_it_says() -> None:
    """Of 400 samples of a known distribution, about 99 in 100 intervals hold its 95th percentile."""
    dice = random.Random(11)  # noqa: S311 - test data wants the same figures each time
    held = 0
    for _ in range(400):
        low, high = quantile_interval([dice.random() for _ in range(600)], 0.95) or (1.0, 0.0)
        held += low <= 0.95 <= high

    assert 0.975 < held / 400 <= 1.0


def test_the_ranks_are_those_of_the_binomial_distribution() -> None:
    """For 1,000 values, the 99 % interval of the median lies between ranks 459 and 542."""
    assert (459.0, 542.0) == quantile_interval([float(one) for one in range(1, 1001)], 0.5)


@given(st.lists(st.floats(0, 60), max_size=300), st.lists(st.floats(0, 60), max_size=300))
def test_the_second_run_is_worse_where_the_first_is_better(first: list[float], second: list[float]) -> None:
    """Turned around, a comparison says the opposite."""
    opposite = {Change.WORSE: Change.BETTER, Change.BETTER: Change.WORSE}
    there, back = judge_p95(first, second).change, judge_p95(second, first).change

    assert opposite.get(there, there) is back
