"""Counters of a Prometheus as a canary that can be replayed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rollbook.errors import BadInputError
from rollbook.ports import Series
from rollbook.replay.course import Answers
from rollbook.replay.from_counters import SideCounters, course

STEADY = {at: 100 * number for number, at in enumerate(range(0, 60, 10))}


def series(values: Mapping[int, float], **labels: str) -> Series:
    return Series(labels, tuple((float(at), float(value)) for at, value in values.items()))


def side(requests: Mapping[int, float], errors: Mapping[int, float] | None = None) -> SideCounters:
    return SideCounters((series(requests),), (series(errors),) if errors else ())


def risen(one: Answers) -> list[tuple[int, int, int]]:
    """Moment, requests and bad ones of each reading that has any."""
    rows = zip(one.at_s.tolist(), one.requests.tolist(), one.bad.tolist(), strict=True)
    return [(int(at), int(requests), int(bad)) for at, requests, bad in rows if requests]


def test_what_counters_rise_by_is_counted_from_the_first_request() -> None:
    """Second 0 is the reading before the first that shows a request of the canary."""
    found, notes = course(side(STEADY), side({20: 0, 30: 10, 40: 25}, {30: 1, 40: 4}), step_s=10)

    assert (20.0, -20.0, 20.0, None) == (found.began_s, found.starts_s, found.ends_s, found.faulty)
    assert [(-10, 100, 0), (0, 100, 0), (10, 100, 0), (20, 100, 0), (30, 100, 0)] == risen(found.stable)
    assert [(10, 10, 1), (20, 15, 3)] == risen(found.canary)
    assert () == notes


def test_errors_that_have_no_series_yet_are_none() -> None:
    """The first error makes the series: it counts from zero, not from where it is first seen."""
    found, _ = course(side(STEADY, {30: 2, 40: 2}), side({0: 0, 10: 50, 20: 90}), step_s=10)

    assert [0, 0, 2, 0, 0] == [bad for _, _, bad in risen(found.stable)]
    assert [0, 0] == [bad for _, _, bad in risen(found.canary)]


def test_a_restart_counts_from_zero() -> None:
    """A counter that fell to little shows what the new process did; that is said."""
    found, notes = course(side({0: 0, 10: 100, 20: 30, 30: 130}), side({0: 0, 10: 5}), step_s=10)

    assert [100, 30, 100] == [requests for _, requests, _ in risen(found.stable)]
    assert ("stable: 1 time(s) a counter fell: taken as a process that began again from zero.",) == notes


def test_a_fall_to_a_large_value_is_left_out() -> None:
    """A sum of which one part restarted: how much it rose by cannot be known."""
    found, notes = course(
        side({0: 100_000, 10: 100_100, 20: 60_000, 30: 60_100}), side({0: 0, 10: 5}), step_s=10
    )

    assert [100, 100] == [requests for _, requests, _ in risen(found.stable)]
    assert 1 == len(notes)
    assert "too large" in notes[0]


def test_pods_come_and_go() -> None:
    """A series that begins later is a new process, counted from zero; one that ends takes nothing back."""
    pods = (series({0: 500, 10: 550, 20: 600}, pod="a"), series({20: 40, 30: 90}, pod="b"))
    found, notes = course(SideCounters(pods, ()), side({0: 0, 10: 5}), step_s=10)

    assert [50, 50 + 40, 50] == [requests for _, requests, _ in risen(found.stable)]
    assert () == notes


def test_a_series_that_comes_back_with_a_past_is_not_new() -> None:
    """A million requests at its first reading were not made in ten seconds."""
    pods = (series({0: 500, 10: 550}, pod="a"), series({10: 1_000_000, 20: 1_000_060}, pod="b"))
    found, notes = course(SideCounters(pods, ()), side({0: 0, 10: 5}), step_s=10)

    assert [50, 60] == [requests for _, requests, _ in risen(found.stable)]
    assert "too large" in notes[0]


def test_both_sides_are_compared_over_the_same_span() -> None:
    """Where the canary was not scraped, stable's requests wait for the next reading that both have."""
    stable = {0: 0, 10: 100, 20: 200, 30: 300, 40: 400}
    found, _ = course(side(stable), side({0: 0, 10: 10, 30: 40, 40: 50}), step_s=10)

    assert [(10, 100), (30, 200), (40, 100)] == [(at, requests) for at, requests, _ in risen(found.stable)]
    assert [(10, 10), (30, 30), (40, 10)] == [(at, requests) for at, requests, _ in risen(found.canary)]


def test_no_request_is_lost_by_waiting() -> None:
    """Sums are those of the counters, whatever is missing."""
    stable = {0: 0, 10: 100, 30: 300, 50: 500}
    found, _ = course(side(stable), side({0: 0, 20: 20, 30: 30, 40: 41}), step_s=10)

    assert (500, 41) == (found.stable.requests.sum(), found.canary.requests.sum())


def test_errors_beyond_requests_are_cut() -> None:
    """Two queries can be read at two moments: a share above one is none."""
    found, notes = course(side(STEADY), side({0: 0, 10: 5, 20: 9}, {0: 0, 10: 7, 20: 7}), step_s=10)

    assert [(5, 5), (4, 0)] == [(requests, bad) for _, requests, bad in risen(found.canary)]
    assert (
        "canary: 1 time(s) more errors than requests were added: errors were cut to the requests.",
    ) == notes


@pytest.mark.parametrize(
    ("stable", "canary", "complaint"),
    [
        ({}, {0: 0, 10: 5}, "the counters of stable show no request"),
        (STEADY, {}, "the counters of canary show no request"),
        (STEADY, {0: 5, 10: 5}, "the counters of canary show no request"),
        ({0: 0.5, 10: 0.7}, {0: 0, 10: 5}, "the requests of stable are no running totals"),
        (STEADY, {0: -1, 10: 5}, "the requests of canary are no running totals"),
        (STEADY, {0: 0, 10: 2.0**60}, "the requests of canary are no running totals"),
    ],
)
def test_what_are_no_counters_is_bad_input(
    stable: Mapping[int, float], canary: Mapping[int, float], complaint: str
) -> None:
    """Rates, shares, and queries that find nothing."""
    with pytest.raises(BadInputError, match=complaint):
        course(side(stable), side(canary), step_s=10)
