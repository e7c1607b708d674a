"""Prometheus' and Alertmanager's own tools judge the files in monitoring/."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rollbook.sandbox.api import Sandbox

MONITORING = Path(__file__).parents[2] / "monitoring"


def _run(*command: Path | str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.sandbox
@pytest.mark.parametrize("path", sorted((MONITORING / "rules").glob("*.yaml")), ids=lambda path: path.name)
def test_prometheus_takes_the_rules(sandbox: Sandbox, path: Path) -> None:
    """promtool finds nothing wrong with a file of rules, and no two rules alike in it."""
    _run(sandbox.promtool, "check", "rules", "--lint=all", "--lint-fatal", path)


@pytest.mark.sandbox
@pytest.mark.parametrize("path", sorted((MONITORING / "tests").glob("*.yaml")), ids=lambda path: path.name)
def test_rules_do_what_their_tests_say(sandbox: Sandbox, path: Path) -> None:
    """promtool's unit tests of the rules pass."""
    _run(sandbox.promtool, "test", "rules", path)


@pytest.mark.sandbox
def test_alertmanager_takes_its_configuration(sandbox: Sandbox) -> None:
    """amtool finds nothing wrong with the configuration."""
    _run(sandbox.amtool, "check-config", MONITORING / "alertmanager/alertmanager.yaml")


def test_every_file_of_rules_has_tests() -> None:
    """A file of rules without a file of tests beside it is not finished."""
    rules = {path.name for path in (MONITORING / "rules").glob("*.yaml")}
    assert rules == {path.name for path in (MONITORING / "tests").glob("*.yaml")}
