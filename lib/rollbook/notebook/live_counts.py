"""Counts a growing list of requests second by second, at the cost of its newest seconds only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from rollbook.domain.accounting import Bin, series
from rollbook.domain.traffic import RequestRecord

OPEN_S = 12.0
"""The newest seconds are counted again each time: requests of theirs may still be under way."""


class LiveCounts:
    """Bins of one second by version, kept up to date with a list that is ordered by scheduled time."""

    def __init__(self) -> None:
        self._closed: dict[str, tuple[Bin, ...]] = {}
        self._open: Mapping[str, tuple[Bin, ...]] = {}
        self._closed_count = 0
        self._closed_until = 0.0

    def take(self, records: Sequence[RequestRecord]) -> None:
        """Count the list as it is now: the one of the last call, and whatever was added to it."""
        if bisect_left(records, self._closed_until, key=_due) != self._closed_count:
            # A request of a closed second came late (its user waited long): count everything once more.
            self._closed, self._closed_count, self._closed_until = {}, 0, 0.0
        if not records:
            self._open = {}
            return
        until = float(int(records[-1].scheduled_s - OPEN_S))
        if until > self._closed_until:
            count = bisect_left(records, until, key=_due)
            for version, bins in series(records[self._closed_count : count]).items():
                self._closed[version] = self._closed.get(version, ()) + bins
            self._closed_count, self._closed_until = count, until
        self._open = series(records[self._closed_count :])

    def bins(self) -> Mapping[str, tuple[Bin, ...]]:
        """All bins by version, oldest first; the empty version stands for requests that none answered."""
        versions = dict.fromkeys([*self._closed, *self._open])
        return {
            version: self._closed.get(version, ()) + tuple(self._open.get(version, ()))
            for version in versions
        }

    @property
    def failed(self) -> int:
        """Requests that failed so far."""
        return sum(one.failed for bins in self.bins().values() for one in bins)


def _due(record: RequestRecord) -> float:
    return record.scheduled_s
