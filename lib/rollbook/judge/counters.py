"""Counters become requests since the last look: restarts from zero, scrapes that are missing, odd values."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollbook.judge.model import Block

LIKELY = 3.0
SPARE = 10
"""A counter that fell counted from zero if it shows at most `LIKELY` times the highest rate seen, and
`SPARE` more."""


@dataclass(frozen=True)
class Reading:
    """Counters of one moment: requests and bad requests of stable and of the canary since their processes
    began."""

    at_s: float
    stable: tuple[int, int]
    canary: tuple[int, int]


@dataclass(frozen=True)
class Oddities:
    """What was odd in the counters so far, by how often."""

    missing: int = 0
    restarts: int = 0
    unreadable: int = 0
    clipped: int = 0

    def told(self) -> tuple[str, ...]:
        """A sentence each, for those that occurred."""
        said = (
            (self.missing, "scrape(s) are missing: the next one's requests are compared as one look."),
            (self.restarts, "time(s) a counter fell: taken as a process that began again from zero."),
            (
                self.unreadable,
                (
                    "time(s) a counter fell, but not to nearly zero, as a sum does when one of its processes "
                    "restarts: that look was left out."
                ),
            ),
            (self.clipped, "time(s) more errors than requests were added: errors were cut to the requests."),
        )
        return tuple(f"{count} {sentence}" for count, sentence in said if count)


@dataclass
class Counters:
    """Reads counters one moment after the other."""

    oddities: Oddities = field(default_factory=Oddities)
    _last: Reading | None = None
    _highest: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def read(self, reading: Reading | None) -> Block | None:
        """Requests since the last moment at which both sides were read; None for the first, and when it is
        unknown.

        A reading of None is a scrape that is missing on either side: what it would have shown is in the
        next one. Both sides are compared over the same span, so a look is left out as a whole or not at
        all.
        """
        before = self._last
        if reading is None:
            self.oddities = _more(self.oddities, missing=1)
            return None
        self._last = reading
        if before is None:
            return None
        elapsed = reading.at_s - before.at_s
        stable = self._increase(0, before.stable, reading.stable, elapsed)
        canary = self._increase(1, before.canary, reading.canary, elapsed)
        if stable is None or canary is None:
            return None
        return Block(*stable, *canary)

    def _increase(
        self, side: int, old: tuple[int, int], new: tuple[int, int], elapsed: float
    ) -> tuple[int, int] | None:
        total, errors = new[0] - old[0], new[1] - old[1]
        if total < 0 or errors < 0:
            highest = self._highest[side]
            if highest and new[0] > LIKELY * highest * elapsed + SPARE:
                self.oddities = _more(self.oddities, unreadable=1)
                return None
            self.oddities = _more(self.oddities, restarts=1)
            total, errors = new
        elif elapsed > 0:
            self._highest[side] = max(self._highest[side], total / elapsed)
        if errors > total:
            self.oddities = _more(self.oddities, clipped=1)
        return total, min(errors, total)


def _more(
    known: Oddities, *, missing: int = 0, restarts: int = 0, unreadable: int = 0, clipped: int = 0
) -> Oddities:
    return Oddities(
        known.missing + missing,
        known.restarts + restarts,
        known.unreadable + unreadable,
        known.clipped + clipped,
    )
