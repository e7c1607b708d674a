"""Does what a phase left behind still hold? Asked of the world when a run is taken up again.

Nothing of an earlier kernel is kept: a completed phase is skipped only because the world, looked at again,
is still as the phase left it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rollbook.errors import EnvironmentFailedError
from rollbook.phases.context import PhaseContext

RELEASING = ("deploy", "canary")


def drift(ctx: PhaseContext, phase: Mapping[str, Any], phases: Sequence[Mapping[str, Any]]) -> str:
    """What no longer is as `phase` left it, in words; empty when its post-condition still holds.

    `phase` and `phases` are records of `run.json`, in order. A later release of the same run may have moved
    the world on: that is no drift. `validate` only looks, so that it is always done again.
    """
    runbook = phase["runbook"]
    try:
        if runbook == "provision":
            return _provision(ctx)
        if runbook in RELEASING:
            return _release(ctx, phase, phases)
        if runbook == "teardown":
            return _teardown(ctx)
    except EnvironmentFailedError as error:
        return str(error)
    return "it only looks, so it looks again"


def _provision(ctx: PhaseContext) -> str:
    world = ctx.world
    asked = (
        *world.environment(),
        *world.cluster.components(),
        *world.metrics.components(),
        *world.cloud.components(),
    )
    sick = sorted({component.name for component in asked if not component.healthy})
    if sick:
        return f"not healthy: {', '.join(sick)}"
    repository = ctx.service.image.repository
    if world.cloud.find_repository(repository) is None:
        return f"the repository {repository} is gone"
    return ""


def _release(ctx: PhaseContext, phase: Mapping[str, Any], phases: Sequence[Mapping[str, Any]]) -> str:
    status = ctx.world.cluster.rollout(ctx.service.namespace, ctx.service.rollout)
    if status is None:
        return f"the Rollout {ctx.service.rollout} is gone"
    if not status.settled:
        return f"the Rollout is {status.phase}" + (f": {status.message}" if status.message else "")
    accepted = _accepted(phase, phases)
    if status.image not in accepted:
        wanted = ", ".join(sorted(reference.rpartition("@")[2][:19] for reference in accepted)) or "nothing"
        return f"the Rollout runs {status.image.rpartition('@')[2][:19]}, this run left {wanted}"
    return ""


def _accepted(phase: Mapping[str, Any], phases: Sequence[Mapping[str, Any]]) -> set[str]:
    """Image references that may be stable after `phase`: its own release, or a later one of this run.

    A canary that was rolled back left what had been stable before it.
    """
    accepted: set[str] = set()
    before = ""
    reached = False
    for one in phases:
        release = one.get("release") or {}
        stays = one.get("outcome") == "passed" and (
            one["runbook"] == "deploy" or one.get("verdict") == "promoted"
        )
        if one["name"] == phase["name"]:
            reached = True
            accepted.add(str(release.get("reference", "")) if stays else before)
        elif stays and reached:
            accepted.add(str(release.get("reference", "")))
        elif stays:
            before = str(release.get("reference", ""))
    return accepted - {""}


def _teardown(ctx: PhaseContext) -> str:
    if ctx.world.cluster.get("Namespace", "", ctx.service.namespace) is not None:
        return f"the namespace {ctx.service.namespace} is there again"
    return ""
