"""A sandbox that has something to show: a service, users, and a canary that was aborted."""

from __future__ import annotations

import pytest
from tests.e2e.conftest import eventually, rollbook
from tests.monitoring.asking import Prometheus

from rollbook.sandbox.api import Sandbox

ABORTED = 'max_over_time(rollout_info{namespace="hello",name="hello",phase="Abort"}[50m])'
MEASURED = 'max_over_time(namespace:hello_http_errors:ratio_rate1h{namespace="hello"}[50m])'


@pytest.fixture(scope="session")
def prometheus(sandbox: Sandbox) -> Prometheus:
    """The sandbox's Prometheus, whatever has been released to it."""
    return Prometheus(sandbox.endpoints.prometheus_url)


@pytest.fixture(scope="session")
def released(prometheus: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> Prometheus:
    """The sandbox's Prometheus after a canary that was aborted: its own, or another test's before it."""
    if not (prometheus.has(ABORTED) and prometheus.has(MEASURED)):
        phases = [word for phase in ("provision", "deploy", "drill") for word in ("--phase", phase)]
        done = rollbook("run", *phases, "--out", str(tmp_path_factory.mktemp("reports")))
        assert done.code == 0, done.err
        # Rules about the objective are evaluated each half minute.
        eventually("the objective is recorded", lambda: prometheus.has(MEASURED), 90)
    return prometheus
