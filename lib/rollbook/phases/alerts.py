"""Alerts of a release: wait until one is received, until it is told to be over, or see that none was.

    seen = wait_for_alert(ctx, "RolloutAborted", since=aborted_at, within_s=90, labels={"name": "orders"})
    over = wait_until_resolved(ctx, "RolloutAborted", since=aborted_at, within_s=240)
    gate = none_received(ctx, since=started_at)

Received means that Alertmanager told somebody, after grouping, routing and inhibition: in the sandbox its
webhook receiver, elsewhere Alertmanager's own list of what it would tell (`heard_by` in the record). Held
back means that Alertmanager has the alert and names another one for which it tells nobody of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rollbook.domain.alerting import AlertStatus, Listed, Received
from rollbook.errors import GateRefusedError
from rollbook.phases.context import PhaseContext
from rollbook.phases.validate import Gate, written

STEP_FIRING = "wait for alert"
"""Name of the journal's step; `data.alert` names the alert. The check `alerts.fire` looks for it."""
STEP_RESOLVED = "wait until alert is resolved"
AGAIN_S = 0.5
LIST = "Alertmanager's list"
"""Who says that an alert is held back, of which nobody is told."""


@dataclass(frozen=True)
class Which:
    """Which alert is waited for, beside its name.

    It has all of `labels`, and `of` is true of its labels. It began to fire at `began` or later (UTC, aware);
    None: at the moment from which seconds are counted. With `or_held_back` it counts as well when
    Alertmanager has it and another alert holds it back.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    of: Callable[[Mapping[str, str]], bool] | None = None
    began: datetime | None = None
    or_held_back: bool = False

    def fits(self, name: str, one: Received | Listed) -> bool:
        """Whether this is it, by name and labels."""
        has = all(one.labels.get(key) == value for key, value in self.labels.items())
        return one.alertname == name and has and (self.of is None or self.of(one.labels))


@dataclass(frozen=True)
class AlertSeen:
    """An alert that was waited for. `seconds` run from the moment that was given until it was received, or
    seen to be held back; they are below 0 when that was earlier."""

    alert: Received
    since: datetime
    seconds: float
    heard_by: str
    held_back_by: tuple[str, ...] = ()
    """Alerts for which nobody was told of it; empty when somebody was."""

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.alert.alertname

    @property
    def sentence(self) -> str:
        """What was seen, in words; `before` is before the moment that was given."""
        what = "over" if self.alert.status is AlertStatus.RESOLVED else "received"
        if self.held_back_by:
            what = f"held back by {', '.join(self.held_back_by)}"
        when = f"after {self.seconds:.1f} s" if self.seconds >= 0 else f"{-self.seconds:.1f} s before"
        return f"{self.name} was {what} {when}, by {self.alert.receiver or self.heard_by}"


def wait_for_alert(
    ctx: PhaseContext,
    name: str,
    since: datetime,
    within_s: float,
    which: Which = Which(),
) -> AlertSeen:
    """Wait until the alert has been received firing (or is held back, if that counts); `since` is the moment
    of its cause.

    Waits until `since` plus `within_s` seconds, and looks once in any case. Only an alert that began to fire
    at `since` (or `which.began`) or later counts: one that fires still for an earlier cause is not told of
    again, so wait for its end (`wait_until_resolved`) before the next cause. Leaves a step `wait for alert`
    with `data.alert`, `received_at`, `seconds_to_received`, `receiver`, `held_back_by`, and the records of
    what was asked; Prometheus is asked for its alerts as well. GateRefusedError when it does not come.
    """
    with ctx.journal.step(STEP_FIRING, alert=name, **_asked(ctx, since, within_s, which)) as step:
        seen = _wait(ctx, name, since, within_s, which, AlertStatus.FIRING)
        step |= {**_told(seen), "firing_in_prometheus": name in ctx.world.metrics.firing()}
    ctx.say(seen.sentence)
    return seen


def wait_until_resolved(
    ctx: PhaseContext,
    name: str,
    since: datetime,
    within_s: float,
    which: Which = Which(),
) -> AlertSeen:
    """Wait until somebody was told that the alert is over; `since` is a moment before that, of its cause.

    Nobody is told of the end of what is held back: with `which.or_held_back` it is over when Alertmanager has
    it no more. Waits until `since` plus `within_s` seconds, and looks once in any case. Leaves a step `wait
    until alert is resolved`. GateRefusedError when the end is not told.
    """
    with ctx.journal.step(STEP_RESOLVED, alert=name, **_asked(ctx, since, within_s, which)) as step:
        seen = _wait(ctx, name, since, within_s, which, AlertStatus.RESOLVED)
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


def _asked(ctx: PhaseContext, since: datetime, within_s: float, which: Which) -> dict[str, object]:
    return {
        "since": since.isoformat(),
        "within_s": within_s,
        "labels": dict(which.labels),
        **({"began": which.began.isoformat()} if which.began else {}),
        **({"or_held_back": True} if which.or_held_back else {}),
        "heard_by": ctx.world.alerts.heard_by,
    }


def _wait(
    ctx: PhaseContext,
    name: str,
    since: datetime,
    within_s: float,
    which: Which,
    status: AlertStatus,
) -> AlertSeen:
    clock, alerts = ctx.world.clock, ctx.world.alerts
    deadline = since.timestamp() + within_s
    began = which.began or since
    while True:
        heard = alerts.received(began)
        found = next((one for one in heard if _is(one, name, which, status, began)), None)
        if found is not None:
            return _seen(found, since, alerts.heard_by)
        listed = _beside(ctx, name, since, which, status) if which.or_held_back else None
        if listed is not None:
            return listed
        if clock.now().timestamp() >= deadline:
            raise _missed(name, within_s, status, heard)
        clock.sleep(AGAIN_S)


def _is(one: Received, name: str, which: Which, status: AlertStatus, began: datetime) -> bool:
    # The end of an alert that had begun before: of that one, unless it is said from when on it counts.
    any_end = status is AlertStatus.RESOLVED and which.began is None
    fresh = any_end or one.starts_at >= began
    return which.fits(name, one) and one.status is status and fresh


def _beside(
    ctx: PhaseContext, name: str, since: datetime, which: Which, status: AlertStatus
) -> AlertSeen | None:
    """What Alertmanager's list says now: that the alert is held back, or that it is not there any more."""
    began, now = which.began or since, ctx.world.clock.now()
    have = [one for one in ctx.world.alerts.listed() if which.fits(name, one) and one.starts_at >= began]
    if status is AlertStatus.RESOLVED:
        over = Received(name, which.labels, {}, status, began, now, now, "")
        return None if have else _seen(over, since, LIST)
    held = next((one for one in have if one.held_back_by), None)
    if held is None:
        return None
    seen = Received(name, held.labels, held.annotations, status, held.starts_at, None, now, "")
    return replace(_seen(seen, since, LIST), held_back_by=held.held_back_by)


def _seen(one: Received, since: datetime, heard_by: str) -> AlertSeen:
    return AlertSeen(one, since, round((one.received_at - since).total_seconds(), 3), heard_by)


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
        **({"held_back_by": list(seen.held_back_by)} if seen.held_back_by else {}),
        "alert_labels": dict(one.labels),
        "summary": one.annotations.get("summary", ""),
    }
