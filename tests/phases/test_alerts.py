"""Waiting for alerts: what is found, what is missed, and what the journal keeps of both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.phases.fakes import START, HandClock, Stage, stage

from rollbook.domain.alerting import AlertStatus, Listed, NoAlerts, Received
from rollbook.errors import EnvironmentFailedError, GateRefusedError
from rollbook.evidence.journal import Entry, Kind
from rollbook.phases.alerts import Which, none_received, wait_for_alert, wait_until_resolved
from rollbook.phases.context import PhaseContext


@dataclass
class Heard:
    """Alerts that come at times of a clock that is turned by hand."""

    clock: HandClock
    coming: list[Received] = field(default_factory=list)
    held: list[tuple[float, float, Listed]] = field(default_factory=list)
    """What Alertmanager has, from and until so many seconds after the start."""
    heard_by: str = "the test"

    def received(self, since: datetime) -> tuple[Received, ...]:
        now = self.clock.now()
        return tuple(one for one in self.coming if since <= one.received_at <= now)

    def listed(self) -> tuple[Listed, ...]:
        passed = (self.clock.now() - START).total_seconds()
        return tuple(one for begin, end, one in self.held if begin <= passed < end)


def setting(tmp_path: Path) -> tuple[Stage, PhaseContext, Heard, datetime]:
    on = stage(tmp_path)
    heard = Heard(on.clock)
    ctx = replace(on.ctx, world=replace(on.ctx.world, alerts=heard))
    return on, ctx, heard, on.clock.now()


def alert(
    since: datetime, after_s: float, name: str = "RolloutAborted", status: str = "firing", of: str = "hello"
) -> Received:
    at = since + timedelta(seconds=after_s)
    return Received(
        alertname=name,
        labels={"alertname": name, "name": of},
        annotations={"summary": "it was aborted"},
        status=AlertStatus(status),
        starts_at=at - timedelta(seconds=1),
        ends_at=at if status == "resolved" else None,
        received_at=at,
        receiver="tickets",
    )


OF_HELLO = Which({"name": "hello"})


def listed(since: datetime, name: str, *by: str) -> Listed:
    return Listed(name, {"alertname": name, "name": "hello"}, {"runbook_url": "r.md"}, since, by)


def last(ctx: PhaseContext, name: str) -> Entry:
    return [entry for entry in ctx.journal.entries() if entry.name == name][-1]


def test_an_alert_that_comes_is_seen_with_its_time(tmp_path: Path) -> None:
    """Seconds run from the moment of the cause; the step of the journal has them, and the alert's name."""
    _, ctx, heard, since = setting(tmp_path)
    heard.coming = [alert(since, 3, "Other"), alert(since, 31.5)]

    seen = wait_for_alert(ctx, "RolloutAborted", since, 60, OF_HELLO)

    assert (31.5, "tickets", "RolloutAborted") == (seen.seconds, seen.alert.receiver, seen.name)
    step = last(ctx, "wait for alert")
    assert ("done", "RolloutAborted", 31.5) == (
        step.data["state"],
        step.data["alert"],
        step.data["seconds_to_received"],
    )
    assert "the test" == step.data["heard_by"]


def test_an_alert_with_other_labels_or_an_earlier_cause_does_not_count(tmp_path: Path) -> None:
    """What fires still for an earlier cause, and another Rollout's alert, are not what was waited for."""
    _, ctx, heard, since = setting(tmp_path)
    earlier = replace(alert(since, 2), starts_at=since - timedelta(seconds=60))
    heard.coming = [earlier, alert(since, 3, of="shop")]

    with pytest.raises(GateRefusedError, match="was not received within 10 s") as refused:
        wait_for_alert(ctx, "RolloutAborted", since, 10, OF_HELLO)

    assert "RolloutAborted (firing)" in refused.value.why
    assert "failed" == last(ctx, "wait for alert").data["state"]


def test_a_wait_that_is_over_already_looks_once(tmp_path: Path) -> None:
    """What came in time is found, however late it is looked for."""
    on, ctx, heard, since = setting(tmp_path)
    heard.coming = [alert(since, 5)]
    on.clock.sleep(600)

    assert 5.0 == wait_for_alert(ctx, "RolloutAborted", since, 60).seconds


def test_what_came_before_the_moment_counts_where_it_may(tmp_path: Path) -> None:
    """An alert of the cause may come before the abort: its seconds are below 0."""
    on, ctx, heard, began = setting(tmp_path)
    heard.coming = [alert(began, 2, "Crashed", of="shop"), alert(began, 4, "Crashed")]
    on.clock.sleep(10)
    aborted = on.clock.now()
    mine = Which(of=lambda labels: labels["name"] == "hello", began=began)

    assert -6.0 == wait_for_alert(ctx, "Crashed", aborted, 5, mine).seconds
    with pytest.raises(GateRefusedError, match="was not received"):
        wait_for_alert(ctx, "Crashed", aborted, 5, OF_HELLO)


def test_the_end_of_an_earlier_cause_does_not_count(tmp_path: Path) -> None:
    """Told after the start from which an alert counts, it is the end of one that had begun before."""
    on, ctx, heard, began = setting(tmp_path)
    earlier = replace(alert(began, 4, status="resolved"), starts_at=began - timedelta(seconds=60))
    heard.coming = [earlier, alert(began, 70, status="resolved")]
    on.clock.sleep(10)
    mine = replace(OF_HELLO, began=began)

    assert 60.0 == wait_until_resolved(ctx, "RolloutAborted", on.clock.now(), 100, mine).seconds


def test_what_is_held_back_counts_where_it_may(tmp_path: Path) -> None:
    """Alertmanager has it and names the alert for which nobody is told; its end is that it is not there."""
    _, ctx, heard, since = setting(tmp_path)
    heard.held = [
        (5.0, 50.0, listed(since, "Fails")),
        (30.0, 50.0, listed(since, "Fails", "Aborted")),
        (5.0, 50.0, listed(since - timedelta(hours=1), "Old", "Aborted")),
    ]
    may = replace(OF_HELLO, or_held_back=True)

    with pytest.raises(GateRefusedError, match="was not received"):
        wait_for_alert(ctx, "Fails", since, 10, OF_HELLO)
    seen = wait_for_alert(ctx, "Fails", since, 60, may)
    assert (30.0, ("Aborted",), "r.md") == (
        seen.seconds,
        seen.held_back_by,
        seen.alert.annotations["runbook_url"],
    )
    assert ["Aborted"] == last(ctx, "wait for alert").data["held_back_by"]
    with pytest.raises(GateRefusedError, match="was not received"):
        wait_for_alert(ctx, "Old", since, 35, may)
    over = wait_until_resolved(ctx, "Fails", since, 100, may)
    assert (50.0, AlertStatus.RESOLVED) == (over.seconds, over.alert.status)


def test_the_end_of_an_alert_is_waited_for(tmp_path: Path) -> None:
    """Resolved, and not firing, is what counts; none within the time is refused."""
    _, ctx, heard, since = setting(tmp_path)
    heard.coming = [alert(since, 5), alert(since, 130, status="resolved")]

    assert 130.0 == wait_until_resolved(ctx, "RolloutAborted", since, 200).seconds
    assert "done" == last(ctx, "wait until alert is resolved").data["state"]
    with pytest.raises(GateRefusedError, match="was not told to be over"):
        wait_until_resolved(ctx, "Other", since, 200)


def test_silence_is_a_gate(tmp_path: Path) -> None:
    """It passes when nothing began to fire, but for what is named; it refuses with the names of what came."""
    on, ctx, heard, since = setting(tmp_path)
    heard.coming = [
        alert(since, 1, status="resolved"),
        replace(alert(since, 1, "Old"), starts_at=since - timedelta(seconds=9)),
        alert(since, 2),
    ]
    assert none_received(ctx, since).passed is True
    on.clock.sleep(3)

    assert none_received(ctx, since, but=("RolloutAborted",)).passed is True
    refused = none_received(ctx, since)
    assert (False, "RolloutAborted") == (refused.passed, refused.got)
    assert Kind.GATE is last(ctx, "no alert").kind


def test_a_target_of_which_nobody_hears_is_no_silence(tmp_path: Path) -> None:
    """Without anybody who hears alerts, none of the three passes."""
    _, ctx, _, since = setting(tmp_path)
    deaf = replace(ctx, world=replace(ctx.world, alerts=NoAlerts()))

    with pytest.raises(EnvironmentFailedError, match="nobody hears"):
        none_received(deaf, since)
    with pytest.raises(EnvironmentFailedError, match="nobody hears"):
        deaf.world.alerts.listed()
    with pytest.raises(EnvironmentFailedError, match="nobody hears"):
        wait_for_alert(deaf, "RolloutAborted", since, 1)
