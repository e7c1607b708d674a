from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollbook.domain.accounting import (
    WeightInterval,
    around_changes,
    clopper_pearson,
    drill_figures,
    observed_splits,
    percentile,
    series,
    summarise,
)
from rollbook.domain.traffic import Cause, RequestRecord


def _record(at: float, version: str = "1", cause: Cause = Cause.OK, latency_s: float = 0.1) -> RequestRecord:
    return RequestRecord(at, at, latency_s, 200 if cause is Cause.OK else 500, cause, version, "pod")


RECORDS = st.lists(
    st.builds(
        _record,
        at=st.floats(0, 1000),
        version=st.sampled_from(["1", "2", ""]),
        cause=st.sampled_from(Cause),
        latency_s=st.floats(0, 10),
    ),
    max_size=60,
)


@pytest.mark.parametrize(
    ("latencies", "percent", "expected"),
    [
        ([], 95, None),
        ([0.5], 1, 0.5),
        ([0.5], 100, 0.5),
        ([4, 1, 3, 2], 50, 2),
        ([4, 1, 3, 2], 51, 3),
        (list(range(1, 101)), 95, 95),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 21)), 95, 19),
    ],
)
def test_percentile_is_the_nearest_rank(latencies: list[float], percent: float, expected: float) -> None:
    """A percentile is a latency that was really measured."""
    assert expected == percentile(latencies, percent)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.integers(1, 100))
def test_percentile_covers_what_it_says(latencies: list[float], percent: int) -> None:
    """At least p percent are not above it, and fewer are below it."""
    value = percentile(latencies, percent)
    assert value in latencies
    below = Fraction(sum(one < value for one in latencies), len(latencies))
    not_above = Fraction(sum(one <= value for one in latencies), len(latencies))
    assert below < Fraction(percent, 100) <= not_above


def test_nothing_sent_is_nothing_counted() -> None:
    """Without records there are no summaries, no series, and a split that judges nothing."""
    assert () == tuple(summarise([]))
    assert {} == dict(series([]))
    (split,) = observed_splits([], [WeightInterval(0, 10, 20)], canary="2")
    assert (None, None, 0) == (split.share, split.agrees, split.answered)
    (window,) = around_changes([], [5.0], margin_s=2)
    assert (0, 0, {}) == (window.sent, window.failed, window.by_cause)
    figures = drill_figures([], bad_version="2", aborted_s=5.0)
    assert (None, None, 0.0, 0, 0) == (
        figures.first_failure_s,
        figures.time_to_detect_s,
        figures.time_to_roll_back_s,
        figures.served,
        figures.users_hit,
    )


def test_summary_by_version() -> None:
    """Each version has its own counts; what nobody answered stands last."""
    records = [
        _record(1, "2", Cause.APP_ERROR, 0.3),
        _record(2, "2", Cause.OK, 0.1),
        _record(3, "", Cause.TIMEOUT, 5.0),
        _record(4, "1"),
    ]
    stable, canary, nobody = summarise(records)
    assert ["1", "2", ""] == [stable.version, canary.version, nobody.version]
    assert (2, 1, 0.5, {Cause.APP_ERROR: 1}) == (
        canary.sent,
        canary.failed,
        canary.error_share,
        canary.by_cause,
    )
    assert (0.1, 0.3) == (canary.p50_s, canary.p95_s)
    assert {Cause.TIMEOUT: 1} == nobody.by_cause


@given(RECORDS)
def test_summaries_lose_nothing(records: list[RequestRecord]) -> None:
    """Every request is in exactly one summary and in exactly one bin."""
    summaries = summarise(records)
    assert len(records) == sum(one.sent for one in summaries)
    assert sum(record.failed for record in records) == sum(one.failed for one in summaries)
    assert all(one.failed == sum(one.by_cause.values()) for one in summaries)
    bins = [one for version in series(records).values() for one in version]
    assert len(records) == sum(one.sent for one in bins)
    assert sum(record.failed for record in records) == sum(one.failed for one in bins)


def test_series_has_a_bin_a_second() -> None:
    """Bins start at whole seconds, and empty ones are left out."""
    found = series([_record(10.0), _record(10.9, latency_s=0.4), _record(12.5, cause=Cause.RESET)])
    assert [(10.0, 2, 0, 0.4), (12.0, 1, 1, 0.1)] == [
        (one.start_s, one.sent, one.failed, one.p95_s) for one in found["1"]
    ]


@pytest.mark.parametrize(
    ("canary", "agrees"), [(200, True), (150, False), (250, False), (190, True), (0, False)]
)
def test_a_split_is_held_against_the_weight(canary: int, agrees: bool) -> None:
    """Of 1,000 answers at weight 20, about 200 must be the canary's."""
    records = [_record(5 + i / 1000, "2" if i < canary else "1") for i in range(1000)]
    (split,) = observed_splits(records, [WeightInterval(0, 10, 20)], canary="2")
    assert (canary / 1000, agrees) == (split.share, split.agrees)


def test_a_split_leaves_the_settling_time_out() -> None:
    """Requests just after a change count for no weight, nor do those that nobody answered."""
    records = [_record(1.0, "1"), _record(5.0, "2"), _record(6.0, "", Cause.TIMEOUT), _record(10.0, "1")]
    (split,) = observed_splits(records, [WeightInterval(0, 10, 20)], canary="2", settling_s=3)
    assert (1, 1, {"2": 1}, 3) == (split.answered, split.canary, split.by_version, split.settling_s)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.3084971078),  # 1 - 0.025 ** (1 / 10)
        (10, 10, 0.6915028922, 1.0),
        (5, 10, 0.1870860284, 0.8129139716),
    ],
)
def test_bounds_known_from_tables(hits: int, trials: int, low: float, high: float) -> None:
    """The 95 % bounds are those of printed tables."""
    assert pytest.approx((low, high), abs=1e-9) == clopper_pearson(hits, trials, 0.95)


@settings(deadline=None)
@given(st.integers(1, 120).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_bounds_leave_out_half_of_the_rest_on_each_side(hits_of: tuple[int, int]) -> None:
    """Summed term by term, the binomial tail at each bound is half of what confidence leaves."""
    hits, trials = hits_of
    low, high = clopper_pearson(hits, trials, 0.99)
    assert low <= hits / trials <= high

    def probability(count: int, share: float) -> float:
        return math.comb(trials, count) * share**count * (1 - share) ** (trials - count)

    if hits > 0:
        upper_tail = math.fsum(probability(count, low) for count in range(hits, trials + 1))
        assert pytest.approx(0.005, rel=1e-6) == upper_tail
    if hits < trials:
        lower_tail = math.fsum(probability(count, high) for count in range(hits + 1))
        assert pytest.approx(0.005, rel=1e-6) == lower_tail


@pytest.mark.parametrize(
    ("hits", "trials", "confidence"), [(0, 0, 0.9), (2, 1, 0.9), (-1, 1, 0.9), (0, 1, 1.0)]
)
def test_no_bounds_of_nonsense(hits: int, trials: int, confidence: float) -> None:
    """Impossible counts have no interval."""
    with pytest.raises(ValueError, match="no interval"):
        clopper_pearson(hits, trials, confidence)


def test_drill_figures() -> None:
    """Detection runs from the first failed answer, roll-back to the last answer of the bad version."""
    records = [
        _record(10.0, "2", Cause.OK),
        _record(12.0, "2", Cause.APP_ERROR),
        _record(13.0, "1"),
        _record(14.0, "", Cause.RESET),
        _record(20.5, "2", Cause.APP_ERROR),
        _record(21.5, "2", Cause.OK),
        _record(30.0, "", Cause.RESET),
    ]
    figures = drill_figures(records, bad_version="2", aborted_s=20.1)
    assert pytest.approx(12.1) == figures.first_failure_s
    assert pytest.approx(8.0) == figures.time_to_detect_s
    assert pytest.approx(1.5) == figures.time_to_roll_back_s
    assert (4, 2, 1) == (figures.served, figures.users_hit, figures.unanswered)


def test_a_bad_version_that_was_gone_before_the_abort() -> None:
    """Without an answer after the abort the roll-back took no time."""
    figures = drill_figures([_record(1.0, "2", Cause.APP_ERROR)], bad_version="2", aborted_s=9.0)
    assert 0.0 == figures.time_to_roll_back_s


def test_an_abort_before_any_failure_detected_nothing() -> None:
    """An abort cannot have been caused by a failure that came later."""
    figures = drill_figures([_record(10.0, "2", Cause.APP_ERROR)], bad_version="2", aborted_s=9.0)
    assert figures.time_to_detect_s is None
    assert figures.first_failure_s is not None


def test_failures_around_changes() -> None:
    """A window holds what was due within its margin of the change."""
    records = [
        _record(1, "1"),
        _record(4, "", Cause.RESET),
        _record(6, "1"),
        _record(9, "1", Cause.APP_ERROR),
    ]
    first, second = around_changes(records, [5.0, 9.0], margin_s=1)
    assert (2, 1, {Cause.RESET: 1}) == (first.sent, first.failed, first.by_cause)
    assert (1, 1, {Cause.APP_ERROR: 1}) == (second.sent, second.failed, second.by_cause)
