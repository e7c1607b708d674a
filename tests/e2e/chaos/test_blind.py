"""A canary while nobody can measure it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.e2e.chaos.deaths import Struck, component_gone
from tests.e2e.chaos.scene import Record, Scene
from tests.e2e.chaos.test_deaths import at_twenty, planned, write_plan
from tests.e2e.chaos.throttle import throttle_before
from tests.e2e.conftest import run_folder

from rollbook.domain.judging import LOOK
from rollbook.sandbox import api

pytestmark = pytest.mark.e2e
AWAY_S = 30.0
ANSWERED_S = 3.0
"""What was asked before may be answered so long after."""


@pytest.mark.timeout(900)
def test_what_nobody_measures_is_never_called_safe(scene: Scene, tmp_path: Path) -> None:
    """Prometheus is killed for 30 s with users on the canary: no verdict meanwhile, and a truthful end."""
    out = tmp_path / "out"
    out.mkdir()
    plan = write_plan(tmp_path / "plan.yaml", [planned("deploy"), planned("canary")])
    try:
        with (
            throttle_before(api.load(scene.home).endpoints.aws_endpoint_url) as throttle,
            scene.run(out, plan, {"ROLLBOOK_AWS_ENDPOINT_URL": throttle.url}) as running,
        ):
            running.until(at_twenty)
            began = datetime.now(UTC)
            with component_gone("prometheus")(Struck(scene, running, throttle)):
                time.sleep(AWAY_S)
                over = datetime.now(UTC)
            ended = running.end()
        record = Record.of(run_folder(out))
        looks = [entry for entry in record.entries if entry.name == LOOK]
        blind = [
            entry.data["verdict"]
            for entry in looks
            if (entry.time - began).total_seconds() > ANSWERED_S and entry.time < over
        ]
        assert looks
        assert set() == set(blind) - {"no-data", "undecided"}
        assert ended.code in {3, 4}, ended.err
        assert record.run["outcome"]["exit_code"] == ended.code
        assert "promoted" != record.phase("canary").get("verdict")
        assert json.loads(ended.out)["exit_code"] == ended.code
        scene.assert_nothing_is_left()
        scene.assert_back_on_stable()
    finally:
        scene.down()
