"""Whom a drill's abort and fault were told: waits for each alert that it asks for, and for its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rollbook.domain.alerting import AlertStatus
from rollbook.domain.drill import AlertMeasured, AlertWanted
from rollbook.errors import GateRefusedError
from rollbook.evidence.resting import EVIDENCE
from rollbook.phases.alerts import AlertSeen, Which, wait_for_alert, wait_until_resolved
from rollbook.phases.canary import CanaryOutcome
from rollbook.phases.context import PhaseContext

RESOLVED_WITHIN_S = 420.0
"""Seconds after the abort in which an alert must be over: its rule looks back for minutes."""


def wait_for_alerts(
    ctx: PhaseContext, wanted: Sequence[AlertWanted], outcome: CanaryOutcome
) -> tuple[AlertMeasured, ...]:
    """Those of the wanted alerts that were seen, in their order, each with its end as far as that was seen.

    An alert counts when it began to fire after the canary's start, and when it is this canary's by its labels
    (`of_canary`).
    """
    aborted = outcome.decided_at
    seen: dict[str, tuple[AlertSeen, tuple[str, ...]]] = {}
    for one in wanted:
        try:
            found = wait_for_alert(ctx, one.name, aborted, one.within_s, _which(ctx, one, outcome))
        except GateRefusedError:
            continue
        seen[one.name] = found, tuple(ctx.journal.last_asked().get(EVIDENCE, ()))
    over: dict[str, float] = {}
    # First those of whose end nobody is told: it can be seen only while one looks.
    for one in sorted(wanted, key=lambda one: not one.or_held_back):
        if one.name not in seen:
            continue
        try:
            end = wait_until_resolved(ctx, one.name, aborted, RESOLVED_WITHIN_S, _which(ctx, one, outcome))
        except GateRefusedError:
            continue
        over[one.name] = end.seconds
    return tuple(_measured(*found, over.get(name)) for name, found in seen.items())


def others_received(ctx: PhaseContext, since: datetime, wanted: Sequence[AlertWanted]) -> tuple[str, ...]:
    """Names of the alerts that somebody was told of since then, and that were not asked for."""
    heard = ctx.world.alerts.received(since)
    fresh = {one.alertname for one in heard if one.status is AlertStatus.FIRING and one.starts_at >= since}
    return tuple(sorted(fresh - {one.name for one in wanted}))


def of_canary(labels: Mapping[str, str], *, rollout: str, canary_hash: str) -> bool:
    """Whether an alert is about this canary: the version, the pod and the object that its labels name are.

    Pods are called `<rollout>-<hash>-<random>`, AnalysisRuns `<rollout>-<hash>-<revision>`.
    """
    name, pods = labels.get("name", rollout), f"{rollout}-{canary_hash}-"
    return (
        labels.get("pod_template_hash", canary_hash) == canary_hash
        and labels.get("pod", pods).startswith(pods)
        and (name == rollout or name.startswith(pods))
    )


def _which(ctx: PhaseContext, wanted: AlertWanted, outcome: CanaryOutcome) -> Which:
    rollout = ctx.service.rollout
    return Which(
        {"namespace": ctx.service.namespace},
        lambda labels: of_canary(labels, rollout=rollout, canary_hash=outcome.canary_hash),
        outcome.started_at,
        wanted.or_held_back,
    )


def _measured(seen: AlertSeen, asked: tuple[str, ...], over: float | None) -> AlertMeasured:
    held = seen.held_back_by
    return AlertMeasured(
        name=seen.name,
        received_after_s=None if held else seen.seconds,
        resolved_after_s=over,
        runbook_url=seen.alert.annotations.get("runbook_url", ""),
        labels=dict(seen.alert.labels),
        receiver=seen.alert.receiver or ("" if held else seen.heard_by),
        evidence=asked,
        held_back_after_s=seen.seconds if held else None,
        held_back_by=held,
    )
