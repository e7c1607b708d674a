from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from rollbook.sandbox.agent.actions import Outcome
from rollbook.sandbox.agent.podspec import Probe


@dataclass(frozen=True)
class Tally:
    """A probe's verdict so far: None until a threshold has been reached for the first time."""

    verdict: bool | None = None
    streak: int = 0
    last: bool | None = None

    def add(self, probe: Probe, *, ok: bool) -> Tally:
        """Count one outcome; the verdict changes when the same outcome came often enough in a row."""
        streak = self.streak + 1 if self.last is ok else 1
        needed = probe.success_threshold if ok else probe.failure_threshold
        counted = replace(self, streak=streak, last=ok)
        return replace(counted, verdict=ok) if streak >= needed else counted


async def watch_probe(
    probe: Probe,
    started_ago_s: float,
    check: Callable[[Probe], Awaitable[Outcome]],
    told: Callable[[Probe, Outcome, Tally], None],
) -> None:
    """Probe each period until cancelled, telling `told` of every outcome; a startup probe ends when passed.

    `started_ago_s` is how long the container has been running: one adopted is not waited for again.
    """
    await asyncio.sleep(max(0.0, probe.initial_delay_s - started_ago_s))
    loop = asyncio.get_running_loop()
    tally = Tally()
    due = loop.time()
    while True:
        outcome = await check(probe)
        tally = tally.add(probe, ok=outcome.ok)
        told(probe, outcome, tally)
        if probe.kind == "startup" and tally.verdict:
            return
        due = max(due + probe.period_s, loop.time())
        await asyncio.sleep(due - loop.time())
