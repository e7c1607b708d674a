"""Counters become requests since the last look."""

from __future__ import annotations

import pytest

from rollbook.judge.counters import Counters, Oddities, Reading
from rollbook.judge.model import Block

STEADY = [Reading(5.0 * row, (90 * row, row), (10 * row, row)) for row in range(4)]


def read(*readings: Reading | None) -> tuple[list[Block | None], Oddities]:
    """What each reading after three steady looks gives."""
    counters = Counters()
    for one in STEADY:
        counters.read(one)
    return [counters.read(one) for one in readings], counters.oddities


def test_the_first_reading_is_where_counting_begins() -> None:
    """What the counters had before is not of this canary."""
    counters = Counters()

    assert counters.read(Reading(0.0, (10**6, 10**3), (5, 5))) is None
    assert Block(90, 1, 10, 0) == counters.read(Reading(5.0, (10**6 + 90, 10**3 + 1), (15, 5)))


def test_a_missing_scrape_is_made_up_for_by_the_next() -> None:
    """No request is lost, and both sides are of the same ten seconds."""
    blocks, oddities = read(None, Reading(25.0, (450, 5), (50, 5)))

    assert [None, Block(180, 2, 20, 2)] == blocks
    assert Oddities(missing=1) == oddities


@pytest.mark.parametrize("errors", [0, 7])
def test_a_restart_counts_from_zero(errors: int) -> None:
    """What the new process shows is what came since."""
    blocks, oddities = read(Reading(20.0, (360, 4), (9, errors)))

    assert [Block(90, 1, 9, errors)] == blocks
    assert Oddities(restarts=1) == oddities


def test_a_restart_behind_a_higher_total_is_seen_by_its_errors() -> None:
    """The total has overtaken already: the errors fell."""
    blocks, oddities = read(Reading(20.0, (360, 4), (35, 0)))

    assert [Block(90, 1, 35, 0)] == blocks
    assert 1 == oddities.restarts


def test_a_sum_of_which_one_process_restarted_is_left_out() -> None:
    """It fell, but shows all that the others ever had: nobody knows what is new."""
    counters = Counters()
    for row in range(50):
        counters.read(Reading(5.0 * row, (90 * row, row), (10 * row, row)))

    assert counters.read(Reading(250.0, (4500, 50), (330, 33))) is None
    assert Block(90, 1, 10, 1) == counters.read(Reading(255.0, (4590, 51), (340, 34)))
    assert Oddities(unreadable=1) == counters.oddities


def test_more_errors_than_requests_are_cut() -> None:
    """Two counters that are scraped a moment apart."""
    blocks, oddities = read(Reading(20.0, (360, 4), (31, 9)))

    assert [Block(90, 1, 1, 1)] == blocks
    assert Oddities(clipped=1) == oddities


def test_what_was_odd_is_told_with_how_often() -> None:
    """And what was not odd is not."""
    assert () == Oddities().told()
    assert ["2 ", "1 "] == [one[:2] for one in Oddities(missing=2, clipped=1).told()]
