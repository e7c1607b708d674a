"""Any service, not only ours: one of another shape goes through the same runbooks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.e2e.conftest import kubectl, rollbook

from rollbook.sandbox.api import Sandbox

pytestmark = pytest.mark.e2e

SERVICE = Path(__file__).parent / "orders" / "service.yaml"


def test_a_service_of_another_shape_is_released(sandbox: Sandbox, tmp_path: Path) -> None:
    """Other names, port, paths, headers and metrics: it is promoted, and none of its users is hurt.

    Its faulty version is rolled back in chaos/test_deaths.py, where the API server dies meanwhile.
    """
    phases = [f"--phase={name}" for name in ("provision", "deploy", "canary", "validate")]
    done = rollbook(
        *("run", "--json", "--service", str(SERVICE), *phases, "--set=rps=40", "--out", str(tmp_path))
    )

    assert done.code == 0, done.err
    assert done.summary["verdicts"] == {"canary": "promoted"}
    assert done.summary["requests"]["canary"]["failed"] == 0
    rollout = kubectl(sandbox, "get", "rollout", "orders-api", "-n", "shop")
    assert rollout["status"]["phase"] == "Healthy"


def test_nothing_in_the_library_knows_a_service(project: Path) -> None:
    """No module names the hello service or this one: what is particular stands in the service file."""
    named = [
        path.name
        for path in (project / "lib" / "rollbook").rglob("*.py")
        if re.search(r"\bhello\b|orders-api|ORDERS_|FAULT_ERROR", path.read_text())
        and path.name != "template.py"
    ]

    assert named == []
