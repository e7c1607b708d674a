"""A clock that tests turn by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class HandClock:
    """Starts at the machine's time; sleeping moves it and takes no time."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def sleep(self, seconds: float) -> None:
        self._seconds += seconds
        self._now += timedelta(seconds=seconds)
