"""Prometheus' own tools judge the rules, and each alert is seen to fire and to keep silent."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import eventually
from tests.monitoring.asking import Prometheus
from tests.monitoring.files import PROJECT, RULE_TESTS, RULES, Alert, alerts, records, yaml

from rollbook.sandbox.api import Sandbox

RUNBOOKS = PROJECT / "docs" / "runbooks"
SEVERITIES = {"critical", "warning", "info", "none"}
SECTIONS = ["What it means", "Look at", "Do"]

each_alert = pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)


def _run(*command: Path | str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def cases(alert: str) -> Iterator[tuple[dict[str, Any], bool]]:
    """Promtool's tests of an alert: the test, and whether the alert is to fire in it."""
    for path in RULE_TESTS:
        for test in yaml(path)["tests"]:
            for case in test.get("alert_rule_test", ()):
                if case["alertname"] == alert:
                    yield test, bool(case["exp_alerts"])


def metrics_of(expr: str) -> set[str]:
    """Names of the series that a rule is made of, followed through recorded ones."""
    names = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", expr))
    recorded = records()
    for name in names & set(recorded):
        names |= metrics_of(recorded[name])
    return names


@pytest.mark.sandbox
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_prometheus_takes_the_rules(sandbox: Sandbox, path: Path) -> None:
    """promtool finds nothing wrong with a file of rules, and no two rules alike in it."""
    _run(sandbox.promtool, "check", "rules", "--lint=all", "--lint-fatal", path)


@pytest.mark.sandbox
@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_rules_do_what_their_tests_say(sandbox: Sandbox, path: Path) -> None:
    """promtool's unit tests of the rules pass."""
    _run(sandbox.promtool, "test", "rules", path)


def test_every_file_of_rules_has_tests() -> None:
    """A file of rules without a file of tests beside it is not finished."""
    assert [path.name for path in RULES] == [path.name for path in RULE_TESTS]


def test_names_are_used_once() -> None:
    """No two alerts, and no two recorded metrics, have one name in all files together."""
    names = [alert.name for alert in alerts()]

    assert sorted(set(names)) == sorted(names)


@each_alert
def test_an_alert_is_seen_to_fire(alert: Alert) -> None:
    """A unit test makes it fire, with its labels and its words."""
    assert any(fires for _, fires in cases(alert.name))


@each_alert
def test_an_alert_is_seen_to_keep_silent(alert: Alert) -> None:
    """A unit test with series of its metrics lets it keep silent; a test without series would say nothing."""
    fed = [
        {re.split(r"[{\s]", series["series"])[0] for series in test["input_series"]}
        for test, fires in cases(alert.name)
        if not fires
    ]

    assert any(names & metrics_of(alert.expr) for names in fed)


@each_alert
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert: Alert) -> None:
    """Each has a severity, a summary, a description, and the runbook of its name."""
    assert alert.labels["severity"] in SEVERITIES
    assert {"summary", "description", "runbook_url"} == set(alert.annotations)
    assert f"docs/runbooks/{alert.name}.md" == alert.annotations["runbook_url"]


@each_alert
def test_a_runbook_has_its_three_parts(alert: Alert) -> None:
    """It says what the alert means, where to look, and what to do."""
    text = (RUNBOOKS / f"{alert.name}.md").read_text(encoding="utf-8")

    assert f"# {alert.name}" == text.splitlines()[0]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS


@pytest.mark.sandbox
def test_an_abort_on_the_live_sandbox_is_told_of(released: Prometheus) -> None:
    """After a canary that Argo aborted, Prometheus has both alerts of an abort firing, within a minute."""
    told = 'count(max by (alertname) (max_over_time(ALERTS{alertname=~"%s",alertstate="firing"}[50m]))) == 2'
    query = told % "RolloutAborted|RolloutAbortedRecently"

    eventually("the abort is told of", lambda: released.has(query), 60)


def test_every_runbook_is_of_an_alert() -> None:
    """No runbook is left of an alert that is gone."""
    names = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}

    assert {alert.name for alert in alerts()} == names
