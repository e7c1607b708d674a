"""When the judge looks."""

from __future__ import annotations

import pytest

from rollbook.phases.looking import AFTER_SCRAPE_S, LOOK_EVERY_S, SOONEST_S, Looking


def looks(scraped: float, interval: float, seconds: float) -> list[float]:
    """Ages of the canary's last scrape at each look, when it is scraped at `scraped` and each `interval`."""
    looking, ages = Looking(0.0), []
    while looking.due < seconds:
        now = looking.due
        last = None if now < scraped else scraped + (now - scraped) // interval * interval
        looking.looked(now, 1000.0 + now, None if last is None else 1000.0 + last)
        if last is not None:
            ages.append(now - last)
    return ages


@pytest.mark.parametrize("interval", [1.0, 5.0, 15.0, 30.0])
@pytest.mark.parametrize("scraped", [0.3, 2.95, 7.5])
def test_it_looks_straight_after_scrapes(scraped: float, interval: float) -> None:
    """Whatever the interval is, after a few looks the newest data is a moment old."""
    ages = looks(scraped, interval, scraped + 12 * interval)

    assert [pytest.approx(AFTER_SCRAPE_S)] * 4 == ages[-4:]


def test_without_a_scrape_it_looks_each_second() -> None:
    """A service that does not tell when it was scraped is looked at all the same."""
    looking = Looking(5.0)

    looking.looked(5.0, 0.0, None)

    assert 5.0 + LOOK_EVERY_S == looking.due


def test_it_never_looks_more_often_than_that() -> None:
    """A scrape that is late, or at once, does not make it ask without pause."""
    looking, now = Looking(0.0), 0.0
    for age in (0.99, 1.0, 1.05, 3.0, 0.0, 0.6):
        before, now = now, looking.due
        looking.looked(now, 100.0 + now, 100.0 + now - age)
        assert looking.due - now >= SOONEST_S
        assert before <= now
