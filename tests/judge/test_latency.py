"""Latency: the edge is chosen from the past, and what is slower than it is judged."""

from __future__ import annotations

import math

import pytest

from rollbook.errors import BadInputError
from rollbook.judge.latency import Histogram, LatencyJudge, choose_edge, increase
from rollbook.judge.model import Verdict


def histogram(total: int, slow: int) -> Histogram:
    """Half of the requests within 50 ms, all but `slow` within 100 ms, all within 1 s."""
    return Histogram({0.05: min(total // 2, total - slow), 0.1: total - slow, 1.0: total, math.inf: total})


@pytest.mark.parametrize(
    ("counts", "quantile", "edge"),
    [
        ({0.05: 500, 0.1: 940, 0.25: 990, math.inf: 1000}, 0.95, 0.1),
        ({0.05: 500, 0.1: 940, 0.25: 990, math.inf: 1000}, 0.99, 0.25),
        ({0.05: 600, math.inf: 1000}, 0.95, 0.05),
        ({0.1: 940, 0.25: 960, math.inf: 1000}, 0.95, 0.25),
        ({0.05: 100, math.inf: 1000}, 0.95, None),
        ({0.05: 0, math.inf: 0}, 0.95, None),
        ({math.inf: 10}, 0.95, None),
    ],
)
def test_the_edge_is_the_one_nearest_to_the_quantile(
    counts: dict[float, int], quantile: float, edge: float | None
) -> None:
    """The upper one of two that are alike; none where even the ordinary request is slower."""
    assert edge == choose_edge(counts, quantile)


def test_what_chose_the_edge_is_not_judged() -> None:
    """The first looks choose, with 400 requests of stable; the canary's of those looks do not count."""
    judge = LatencyJudge(0.95)
    said = [judge.look(5.0 * row, histogram(100, 4), histogram(20, 20)) for row in range(4)]
    after = judge.look(20.0, histogram(100, 4), histogram(20, 1))

    assert {Verdict.NO_DATA} == {one.verdict for one in said}
    assert 0.1 == judge.edge_s
    assert (100, 4, 20, 1) == (
        after.counts.stable_total,
        after.counts.stable_errors,
        after.counts.canary_total,
        after.counts.canary_errors,
    )


def test_a_slow_canary_is_harmful_and_the_edge_is_said() -> None:
    """Stable's past chooses the edge, so that the first look is judged already."""
    judge = LatencyJudge(0.95, query="histogram", past=histogram(1000, 40))
    said = [judge.look(5.0 * row, histogram(90, 4), histogram(10, 4)) for row in range(20)][-1]

    assert (Verdict.HARMFUL, "p95", "histogram") == (said.verdict, said.name, said.query)
    assert "80 of 200 (40 %) canary requests took longer than 0.1 s" in said.sentence


def test_a_canary_like_stable_becomes_safe() -> None:
    """Within half as many slow requests again, at 1,000 requests a look of each side."""
    judge = LatencyJudge(0.95, past=histogram(1000, 40))
    said = [judge.look(5.0 * row, histogram(1000, 40), histogram(1000, 40)) for row in range(60)]

    assert Verdict.SAFE is said[-1].verdict


def test_a_missing_scrape_leaves_the_verdict_as_it_was() -> None:
    """Neither side counts."""
    judge = LatencyJudge(0.95, past=histogram(1000, 40))
    before = judge.look(5.0, histogram(90, 4), histogram(10, 1))

    assert before.counts == judge.look(10.0, None, histogram(10, 9)).counts


@pytest.mark.parametrize("counts", [{0.1: 5}, {0.1: 5, math.inf: 4}, {0.1: -1, math.inf: 4}, {}])
def test_what_is_no_histogram_is_refused(counts: dict[float, int]) -> None:
    """Without all requests, falling, below 0, empty."""
    with pytest.raises(BadInputError):
        Histogram(counts)


def test_buckets_that_change_on_the_way_are_refused() -> None:
    """The edge that was chosen has to stay."""
    judge = LatencyJudge(0.95, past=histogram(1000, 40))
    other = Histogram({0.2: 10, math.inf: 10})

    with pytest.raises(BadInputError, match=r"lacks the edge of 0\.1 s"):
        judge.look(5.0, other, other)


def test_buckets_since_the_last_look_begin_again_with_the_process() -> None:
    """A bucket that fell is of a new process."""
    assert {0.1: 3, math.inf: 5} == increase({0.1: 4, math.inf: 5}, {0.1: 7, math.inf: 10}).cumulative
    assert {0.1: 2, math.inf: 9} == increase({0.1: 4, math.inf: 5}, {0.1: 2, math.inf: 9}).cumulative


@pytest.mark.parametrize("quantile", [0.0, 0.3, 1.0, math.nan])
def test_a_quantile_has_to_be_of_the_slow_end(quantile: float) -> None:
    """0.95 or 0.99; from the median up, and below 1."""
    with pytest.raises(BadInputError):
        LatencyJudge(quantile)


def test_of_edges_with_the_same_requests_below_them_the_lowest_is_chosen() -> None:
    """A farther one would not see a canary that is slower, but still faster than that edge."""
    stable = {0.01: 0, 0.05: 400, 0.25: 400, 5.0: 400, math.inf: 400}

    assert 0.05 == choose_edge(stable, 0.95)
    assert 0.5 == choose_edge({0.1: 94, 0.5: 96, math.inf: 100}, 0.95)
