from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

_PERIOD_S = 0.5


@dataclass(frozen=True)
class _Limit:
    session: int
    limit: int
    exceeded: Callable[[int], None]


class MemoryWatch:
    """Compares the resident memory of containers with their limits, twice a second, in one pass over all.

    Pages that processes of a container share count once for each of them, unlike in a cgroup.
    """

    def __init__(self) -> None:
        self._limits: dict[str, _Limit] = {}
        self._wanted = asyncio.Event()

    def add(self, container_id: str, session: int, limit: int, exceeded: Callable[[int], None]) -> None:
        """Call `exceeded` with the bytes in use once they are more than `limit`."""
        self._limits[container_id] = _Limit(session, limit, exceeded)
        self._wanted.set()

    def remove(self, container_id: str) -> None:
        """Watch this container no more."""
        self._limits.pop(container_id, None)

    async def run(self) -> None:
        """Watch until cancelled; sleeps while no container has a limit."""
        while True:
            if not self._limits:
                self._wanted.clear()
                await self._wanted.wait()
            self._look()
            await asyncio.sleep(_PERIOD_S)

    def _look(self) -> None:
        used = dict.fromkeys((limit.session for limit in self._limits.values()), 0)
        for pid in psutil.pids():
            with suppress(OSError, psutil.Error):
                session = os.getsid(pid)
                if session in used:
                    used[session] += psutil.Process(pid).memory_info().rss
        for container_id, limit in list(self._limits.items()):
            if used[limit.session] > limit.limit:
                self.remove(container_id)
                limit.exceeded(used[limit.session])
