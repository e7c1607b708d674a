"""What the service does wrong when it is told to."""

from __future__ import annotations

import asyncio
import os
import sys

from hello.settings import Faults

CRASH_EXIT_CODE = 70
_LEAK_INTERVAL_S = 0.1


class Share:
    """Picks a share of calls, evenly spread and always the same ones: no luck is in a drill."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._due = 0.0

    def pick(self) -> bool:
        """Whether this call is one of them."""
        if not self._share:
            return False
        self._due += self._share
        # A hair below 1, so that 0.2 + 0.2 + 0.2 + 0.2 + 0.2 counts as one.
        if self._due < 1 - 1e-9:
            return False
        self._due -= 1
        return True


class Load:
    """Counts the calls of each second: more than `limit` of them are too many."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._second = 0
        self._calls = 0

    def too_many(self, now_s: float) -> bool:
        """Whether a call at `now_s` (seconds of a clock that never goes back) is above the limit."""
        if not self._limit:
            return False
        if int(now_s) != self._second:
            self._second, self._calls = int(now_s), 0
        self._calls += 1
        return self._calls > self._limit


async def misbehave(faults: Faults) -> None:
    """Crash or leak as configured; returns at once when neither is asked for."""
    tasks = []
    if faults.crash_after_s:
        tasks.append(_crash(faults.crash_after_s))
    if faults.leak_mib_per_s:
        tasks.append(_leak(faults.leak_mib_per_s))
    if tasks:
        await asyncio.gather(*tasks)


async def _crash(after_s: float) -> None:
    await asyncio.sleep(after_s)
    print(f"hello: fault injected: crash after {after_s:g} s", file=sys.stderr, flush=True)
    # No clean-up and no goodbye to those who wait for an answer: that is what a crash is.
    os._exit(CRASH_EXIT_CODE)


async def _leak(mib_per_s: float) -> None:
    kept: list[bytes] = []
    size = max(1, int(mib_per_s * 2**20 * _LEAK_INTERVAL_S))
    while True:
        # Not zeros: pages that were never written to would not count as resident.
        kept.append(b"\xa5" * size)
        await asyncio.sleep(_LEAK_INTERVAL_S)
