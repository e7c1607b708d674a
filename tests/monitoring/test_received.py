"""Alerts of the live sandbox arrive at its receiver, with what somebody needs who gets them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.conftest import eventually
from tests.monitoring.asking import Prometheus
from tests.monitoring.files import PROJECT

from rollbook.clock import SystemClock
from rollbook.domain.alerting import AlertStatus, Received
from rollbook.prometheus.alerts import ListedAlerts, ReceivedAlerts
from rollbook.sandbox.api import Sandbox

pytestmark = pytest.mark.sandbox


def aborts(sandbox: Sandbox) -> list[Received]:
    """What the receiver was told of aborts within the last hour, firing."""
    endpoints = sandbox.endpoints
    heard = ReceivedAlerts(endpoints.alert_receiver_url, endpoints.alertmanager_url).received(
        datetime.now(UTC) - timedelta(hours=1)
    )
    return [one for one in heard if one.alertname == "RolloutAborted" and one.status is AlertStatus.FIRING]


def test_an_abort_is_received(sandbox: Sandbox, released: Prometheus) -> None:
    """The ticket of an aborted canary comes, names its Rollout and its runbook, and is not held back."""
    eventually("the abort is told of", lambda: bool(aborts(sandbox)), 120)

    last = aborts(sandbox)[-1]
    assert ("tickets", "hello", "warning") == (last.receiver, last.labels["name"], last.labels["severity"])
    assert (PROJECT / last.annotations["runbook_url"]).is_file()


def test_alertmanagers_list_can_be_read(sandbox: Sandbox) -> None:
    """Where no receiver is, the real Alertmanager's list is understood, whatever fires now."""
    listed = ListedAlerts(sandbox.endpoints.alertmanager_url, SystemClock()).received(
        datetime.now(UTC) - timedelta(days=1)
    )

    assert {AlertStatus.FIRING} >= {one.status for one in listed}
    assert all(one.alertname for one in listed)


def test_the_sandbox_has_a_configuration_that_amtool_takes(sandbox: Sandbox) -> None:
    """What the sandbox's Alertmanager loaded is valid."""
    config = sandbox.home.config / "alertmanager.yml"
    done = subprocess.run(
        [sandbox.amtool, "check-config", config], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
