"""When to look: straight after the canary was scraped, and once a second while that is not known."""

from __future__ import annotations

LOOK_EVERY_S = 1.0
SOONEST_S = 0.5
AFTER_SCRAPE_S = 0.1
"""A scrape takes a moment until its samples can be asked for."""


class Looking:
    """Learns from the scrapes that it is told of how far they are apart, and when the next one is."""

    def __init__(self, begins_s: float) -> None:
        self.due = begins_s
        """Not before: in the caller's monotonic seconds."""
        self._scraped_s: float | None = None
        self._interval_s = LOOK_EVERY_S

    def looked(self, now: float, asked_s: float, scraped_s: float | None) -> None:
        """It was looked at `now`, which was `asked_s` by Prometheus' clock.

        The canary was scraped at `scraped_s` by the same clock; None where that is not known: the next look
        is a second later.
        """
        wait = LOOK_EVERY_S
        if scraped_s is not None:
            apart = scraped_s - (self._scraped_s if self._scraped_s is not None else scraped_s)
            if apart > 0:
                # A scrape that was missed, or a second process, must not make it seem another interval.
                self._interval_s = apart if self._interval_s == LOOK_EVERY_S else min(self._interval_s, apart)
            self._scraped_s = scraped_s
            wait = self._interval_s - (asked_s - scraped_s) + AFTER_SCRAPE_S
            if wait < SOONEST_S and self._interval_s < 2 * LOOK_EVERY_S:
                wait += self._interval_s  # the scrape after the next one, rather than between two
        self.due = now + (wait if wait >= SOONEST_S else LOOK_EVERY_S)
