"""What a canary is going to release over what, decided before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollbook.domain.rollout import RolloutStatus, Step
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext
from rollbook.phases.versions import next_minor, stable_version

AT_REST_S = 30.0
"""Seconds that a Rollout with nothing under way has to get all of its pods ready."""


@dataclass(frozen=True)
class Planned:
    """What is going to be released over what."""

    stable_version: str
    stable_hash: str
    version: str
    fault: str
    fault_env: Mapping[str, str]
    steps: tuple[Step, ...]

    @property
    def pause_s(self) -> float:
        """Seconds of pause that the strategy declares."""
        return sum(step.pause_s or 0.0 for step in self.steps)


def plan(ctx: PhaseContext, *, version: str, fault: str) -> Planned:
    """Decide what is released over what.

    BadInputError: an unknown fault, or the version is stable already. EnvironmentFailedError: the Rollout is
    busy with another release, or not healthy.
    """
    faults = ctx.service.faults
    if fault and fault not in faults:
        known = ", ".join(sorted(faults)) or "none"
        raise BadInputError(f"{ctx.service.source.name} names no fault {fault!r}", why=f"it has: {known}")
    status = _at_rest(ctx)
    if not status.settled:
        raise EnvironmentFailedError(
            f"the Rollout {status.name} is {status.phase}, not healthy",
            why=status.message or "another release may be under way",
            next_step="Wait for it, or lay the baseline again: rollbook run --phase deploy.",
        )
    running = stable_version(ctx)
    chosen = version or next_minor(running)
    if chosen == running and not fault:
        raise BadInputError(
            f"version {chosen} is stable already", next_step="Give another: --set version=<version>."
        )
    planned = Planned(
        stable_version=running,
        stable_hash=status.stable_hash,
        version=chosen,
        fault=fault,
        fault_env=faults[fault] if fault else {},
        steps=ctx.world.cluster.strategy_steps(ctx.service.namespace, ctx.service.rollout),
    )
    what = f"{planned.version} over {planned.stable_version}" + (f", fault {fault}" if fault else "")
    ctx.journal.append(
        Kind.STEP,
        "plan",
        {"state": "done", "seconds": 0, "version": planned.version, "stable": running, "fault": fault},
    )
    ctx.say(f"to release: {what}")
    return planned


def _at_rest(ctx: PhaseContext) -> RolloutStatus:
    """The Rollout, once a pod of stable that was away for a moment is back."""
    clock = ctx.world.clock
    deadline = clock.monotonic() + AT_REST_S
    while True:
        status = ctx.rollout_status()
        away = status.phase == "Progressing" and status.current_hash == status.stable_hash
        if not away or clock.monotonic() >= deadline:
            return status
        clock.sleep(0.5)
