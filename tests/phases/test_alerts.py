"""Waiting for alerts: what is found, what is missed, and what the journal keeps of both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.phases.fakes import HandClock, Stage, stage

from rollbook.domain.alerting import AlertStatus, NoAlerts, Received
from rollbook.errors import EnvironmentFailedError, GateRefusedError
from rollbook.evidence.journal import Entry, Kind
from rollbook.phases.alerts import none_received, wait_for_alert, wait_until_resolved
from rollbook.phases.context import PhaseContext


@dataclass
class Heard:
    """Alerts that come at times of a clock that is turned by hand."""

    clock: HandClock
    coming: list[Received] = field(default_factory=list)
    heard_by: str = "the test"

    def received(self, since: datetime) -> tuple[Received, ...]:
        now = self.clock.now()
        return tuple(one for one in self.coming if since <= one.received_at <= now)


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


def last(ctx: PhaseContext, name: str) -> Entry:
    return [entry for entry in ctx.journal.entries() if entry.name == name][-1]


def test_an_alert_that_comes_is_seen_with_its_time(tmp_path: Path) -> None:
    """Seconds run from the moment of the cause; the step of the journal has them, and the alert's name."""
    _, ctx, heard, since = setting(tmp_path)
    heard.coming = [alert(since, 3, "Other"), alert(since, 31.5)]

    seen = wait_for_alert(ctx, "RolloutAborted", since, 60, {"name": "hello"})

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
        wait_for_alert(ctx, "RolloutAborted", since, 10, {"name": "hello"})

    assert "RolloutAborted (firing)" in refused.value.why
    assert "failed" == last(ctx, "wait for alert").data["state"]


def test_a_wait_that_is_over_already_looks_once(tmp_path: Path) -> None:
    """What came in time is found, however late it is looked for."""
    on, ctx, heard, since = setting(tmp_path)
    heard.coming = [alert(since, 5)]
    on.clock.sleep(600)

    assert 5.0 == wait_for_alert(ctx, "RolloutAborted", since, 60).seconds


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
        wait_for_alert(deaf, "RolloutAborted", since, 1)
