"""The way back: whatever is rolling out is aborted, and all users are on stable."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from rollbook.domain.rollout import RolloutStatus
from rollbook.errors import RollbookError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext
from rollbook.phases.exclusive import held_by_another
from rollbook.phases.outage import Outage


def back_to_stable(
    ctx: PhaseContext, why: str, *, timeout_s: float = 30.0, even_if_held: bool = False
) -> bool:
    """Abort whatever is rolling out and wait until all traffic is on stable; True when something was.

    What another run has under way is left alone, unless `even_if_held`. Never raises an error of the
    environment: it is called while another error is on its way. What it could not do is in the journal, if
    that can still be written: a full disk must not keep users on the new version. A cluster that is away is
    waited for, `outage.LONGEST_S` seconds for each thing that is asked of it.
    """
    try:
        another = "" if even_if_held else Outage(ctx, quiet=True).ask(lambda: held_by_another(ctx))
        if another:
            _note(ctx, Kind.STEP, "back to stable", {"state": "skipped", "held_by": another})
            ctx.say(f"nothing to bring back: the target is held by {another}")
            return False
        status = _status(ctx)
        if status is None or status.settled or not status.stable_hash:
            return False
        _bring_back(ctx, why, timeout_s)
    except RollbookError as error:
        _note(ctx, Kind.STEP, "back to stable", {"state": "failed", "error": str(error)})
        ctx.say(f"could not bring traffic back to stable: {error}")
    else:
        ctx.say("traffic is back on stable")
    return True


def _bring_back(ctx: PhaseContext, why: str, timeout_s: float) -> None:
    """Abort, wait until the weight is 0, and take the new template out of the Rollout."""
    service, clock, cluster = ctx.service, ctx.world.clock, ctx.world.cluster
    _note(ctx, Kind.DECISION, "abort", {"why": why})
    _note(ctx, Kind.STEP, "back to stable", {"state": "started", "why": why})
    began = clock.monotonic()
    Outage(ctx, quiet=True).ask(lambda: cluster.abort(service.namespace, service.rollout))
    weight, deadline = 0, clock.monotonic() + timeout_s
    while clock.monotonic() < deadline:
        status = _status(ctx)
        weight = status.weight if status else 0
        if status is None or (status.aborted and weight == 0):
            break
        clock.sleep(0.2)
    Outage(ctx, quiet=True).ask(lambda: cluster.undo(service.namespace, service.rollout))
    seconds = round(clock.monotonic() - began, 3)
    _note(
        ctx,
        Kind.STEP,
        "back to stable",
        {"state": "done", "why": why, "seconds": seconds, "weight": weight},
    )


def _status(ctx: PhaseContext) -> RolloutStatus | None:
    """The Rollout now; a cluster that is away is waited for."""
    service, cluster = ctx.service, ctx.world.cluster
    return Outage(ctx, quiet=True).ask(lambda: cluster.rollout(service.namespace, service.rollout))


def _note(ctx: PhaseContext, kind: Kind, name: str, data: Mapping[str, object]) -> None:
    """Write into the journal, if it can be written."""
    with suppress(RollbookError):
        ctx.journal.append(kind, name, data)
