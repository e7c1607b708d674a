"""Alerts of a release: wait until one is received, until it is told to be over, or see that none was.

    seen = wait_for_alert(ctx, "RolloutAborted", since=aborted_at, within_s=90, labels={"name": "orders"})
    over = wait_until_resolved(ctx, "RolloutAborted", since=aborted_at, within_s=240)
    gate = none_received(ctx, since=started_at)

Received means that Alertmanager told somebody, after grouping, routing and inhibition: in the sandbox its
webhook receiver, elsewhere Alertmanager's own list of what it would tell (`heard_by` in the record).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from rollbook.domain.alerting import AlertStatus, Received
from rollbook.errors import GateRefusedError
from rollbook.phases.context import PhaseContext
from rollbook.phases.validate import Gate, written

STEP_FIRING = "wait for alert"
"""Name of the journal's step; `data.alert` names the alert. The check `alerts.fire` looks for it."""
STEP_RESOLVED = "wait until alert is resolved"
AGAIN_S = 0.5
NO_LABELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class AlertSeen:
    """An alert that was waited for. `seconds` run from the moment that was given until it was received."""

    alert: Received
    since: datetime
    seconds: float
    heard_by: str

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.alert.alertname

    @property
    def sentence(self) -> str:
        """What was seen, in words."""
        what = "over" if self.alert.status is AlertStatus.RESOLVED else "received"
        return f"{self.name} was {what} after {self.seconds:.1f} s, by {self.alert.receiver or self.heard_by}"


def wait_for_alert(
    ctx: PhaseContext,
    name: str,
    since: datetime,
    within_s: float,
    labels: Mapping[str, str] = NO_LABELS,
) -> AlertSeen:
    """Wait until the alert, with these labels, has been received firing; `since` is the moment of its cause.

    Waits until `since` plus `within_s` seconds, and looks once in any case. Only an alert that began to fire
    at `since` or later counts: one that fires still for an earlier cause is not told of again, so wait for
    its end (`wait_until_resolved`) before the next cause. Leaves a step `wait for alert` with
    `data.alert`, `received_at`, `seconds_to_received`, `receiver`, and the records of what was asked;
    Prometheus is asked for its alerts as well. GateRefusedError when it does not come.
    """
    with ctx.journal.step(STEP_FIRING, alert=name, **_asked(ctx, since, within_s, labels)) as step:
        seen = _wait(ctx, name, since, within_s, labels, AlertStatus.FIRING)
        step |= {**_told(seen), "firing_in_prometheus": name in ctx.world.metrics.firing()}
    ctx.say(seen.sentence)
    return seen


def wait_until_resolved(
    ctx: PhaseContext,
    name: str,
    since: datetime,
    within_s: float,
    labels: Mapping[str, str] = NO_LABELS,
) -> AlertSeen:
    """Wait until somebody was told that the alert is over; `since` is a moment before that, of its cause.

    Waits until `since` plus `within_s` seconds, and looks once in any case. Leaves a step `wait until alert
    is resolved`. GateRefusedError when the end is not told.
    """
    with ctx.journal.step(STEP_RESOLVED, alert=name, **_asked(ctx, since, within_s, labels)) as step:
        seen = _wait(ctx, name, since, within_s, labels, AlertStatus.RESOLVED)
        step |= _told(seen)
    ctx.say(seen.sentence)
    return seen


def none_received(ctx: PhaseContext, since: datetime, *, but: Sequence[str] = ()) -> Gate:
    """Whether nobody was told of anything that began to fire since that moment, but of alerts named in `but`.

    A gate `no alert`, written into the journal with the records that it rests on. It speaks of what has come
    until now: an alert that needs 30 s of its cause may still be on its way.
    """
    found = {
        one.alertname
        for one in ctx.world.alerts.received(since)
        if one.status is AlertStatus.FIRING and one.starts_at >= since and one.alertname not in but
    }
    beside = f" beside {', '.join(sorted(but))}" if but else ""
    told = f"{', '.join(sorted(found))} came" if found else "no alert came"
    span = f"since {since.astimezone(UTC):%H:%M:%S} UTC, heard by {ctx.world.alerts.heard_by}"
    return written(
        ctx,
        Gate(
            "no alert",
            not found,
            f"none{beside}",
            ", ".join(sorted(found)) or "none",
            f"{told}{beside} {span}",
        ),
    )


def _asked(
    ctx: PhaseContext, since: datetime, within_s: float, labels: Mapping[str, str]
) -> dict[str, object]:
    return {
        "since": since.isoformat(),
        "within_s": within_s,
        "labels": dict(labels),
        "heard_by": ctx.world.alerts.heard_by,
    }


def _wait(
    ctx: PhaseContext,
    name: str,
    since: datetime,
    within_s: float,
    labels: Mapping[str, str],
    status: AlertStatus,
) -> AlertSeen:
    clock, alerts = ctx.world.clock, ctx.world.alerts
    deadline = since.timestamp() + within_s
    while True:
        heard = alerts.received(since)
        found = next((one for one in heard if _is(one, name, labels, status, since)), None)
        if found is not None:
            seconds = round((found.received_at - since).total_seconds(), 3)
            return AlertSeen(found, since, seconds, alerts.heard_by)
        if clock.now().timestamp() >= deadline:
            raise _missed(name, within_s, status, heard)
        clock.sleep(AGAIN_S)


def _is(one: Received, name: str, labels: Mapping[str, str], status: AlertStatus, since: datetime) -> bool:
    fresh = status is AlertStatus.RESOLVED or one.starts_at >= since
    return one.alertname == name and one.status is status and fresh and one.has(labels)


def _missed(name: str, within_s: float, status: AlertStatus, heard: Sequence[Received]) -> GateRefusedError:
    others = sorted({f"{one.alertname} ({one.status.value})" for one in heard})
    what = "received" if status is AlertStatus.FIRING else "told to be over"
    return GateRefusedError(
        f"the alert {name} was not {what} within {within_s:g} s",
        why=f"received meanwhile: {', '.join(others)}" if others else "no alert was received meanwhile",
        next_step="Look whether Prometheus has it pending, and whether Alertmanager holds it back.",
    )


def _told(seen: AlertSeen) -> dict[str, object]:
    one = seen.alert
    return {
        "received_at": one.received_at.isoformat(),
        "seconds_to_received": seen.seconds,
        "starts_at": one.starts_at.isoformat(),
        "ends_at": one.ends_at.isoformat() if one.ends_at else None,
        "receiver": one.receiver,
        "alert_labels": dict(one.labels),
        "summary": one.annotations.get("summary", ""),
    }
