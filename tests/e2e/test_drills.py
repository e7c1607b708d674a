"""A drill on the sandbox: a bad release on purpose, what came of it, and who was told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.conftest import kubectl, rollbook

from rollbook.errors import ExitCode
from rollbook.sandbox.api import Sandbox

pytestmark = pytest.mark.e2e


def test_a_drill_ends_as_it_states(sandbox: Sandbox, tmp_path: Path) -> None:
    """Half of the answers fail: it is sent back, somebody is told within the time, and told of its end."""
    done = rollbook("drill", "many-errors", "--json", "--out", str(tmp_path))

    told = json.loads(done.out)
    (drill,) = told["drills"]
    assert [] == [row for row in drill["rows"] if not row["passed"]]
    assert (ExitCode.OK, "passed", True) == (done.code, drill["outcome"], drill["passed"]), done.err
    measured = drill["measured"]
    assert measured["ended_by"] in {"judge", "analysis"}
    assert 0 < measured["failed"] == measured["by_cause"]["app-error"]
    assert 0 == measured["failed_by_stable"]
    assert "docs/runbooks/RolloutAborted.md" == measured["alert"]["runbook_url"]
    assert measured["alert"]["received_after_s"] < measured["alert"]["resolved_after_s"]
    page = Path(told["report"]).read_text()
    assert "1 of 1 drills ended as drills.yaml states" in page
    assert "as stated" in page
    status = kubectl(sandbox, "get", "rollout", "hello", "-n", "hello")["status"]
    assert ("Healthy", status["stableRS"]) == (status["phase"], status["currentPodHash"])


def test_drills_are_listed(sandbox: Sandbox) -> None:
    """Without a name nothing is released: the drills are told, one a line or as JSON."""
    lines = rollbook("drill").out.splitlines()
    listed = json.loads(rollbook("drill", "--json").out)

    assert [line.split()[0] for line in lines] == [one["name"] for one in listed]
    assert {"healthy", "errors", "latency", "crash", "leak", "never-ready", "no-metrics"} <= {
        one["name"] for one in listed
    }


def test_an_unknown_drill_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    """A misspelt name ends with bad input, and leaves no folder."""
    done = rollbook("drill", "erors", "--out", str(tmp_path / "out"))

    assert ExitCode.BAD_INPUT == done.code
    assert "there is no drill 'erors'" in done.err
    assert not (tmp_path / "out").exists()
