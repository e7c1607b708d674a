"""Thresholds read from recorded AnalysisRuns."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rollbook.replay.course import Threshold
from rollbook.replay.template import seconds, threshold_of

ARGUMENTS = {
    "interval": "15s",
    "window": "2m",
    "minimum-requests": "50",
    "least-success-rate": "0.95",
    "most-p95-seconds": "0.3",
}


@pytest.fixture
def manifest(project: Path) -> dict[str, Any]:
    """An AnalysisRun of the project's template, with its arguments and metrics."""
    templates = YAML(typ="safe").load_all((project / "k8s/rollouts/analysis.yaml").read_text())
    [template] = [one for one in templates if one["metadata"]["name"] == "hello-success-rate"]
    arguments = [{"name": name, "value": value} for name, value in ARGUMENTS.items()]
    return {"spec": {"args": arguments, "metrics": template["spec"]["metrics"]}}


def test_the_projects_template_is_read(manifest: dict[str, Any]) -> None:
    """Every number of k8s/rollouts/analysis.yaml and its arguments; the delay is the interval."""
    expected = Threshold(
        least_success_rate=0.95,
        window_s=120.0,
        minimum_requests=50.0,
        interval_s=15.0,
        initial_delay_s=15.0,
        failure_limit=1,
        inconclusive_limit=3,
        most_p95_s=0.3,
    )

    assert expected == threshold_of(manifest)


@pytest.mark.parametrize("name", ["interval", "window", "minimum-requests", "least-success-rate"])
@pytest.mark.parametrize("value", [None, "", "soon", "nan", "0s"])
def test_a_rule_that_is_not_known_is_not_guessed(
    manifest: dict[str, Any], name: str, value: str | None
) -> None:
    """An argument that is missing, or no number, gives no rule."""
    changed = copy.deepcopy(manifest)
    changed["spec"]["args"] = [
        {**one, "value": value} if one["name"] == name else one
        for one in changed["spec"]["args"]
        if one["name"] != name or value is not None
    ]

    assert threshold_of(changed) is None


@pytest.mark.parametrize(
    "raw", [{}, {"spec": None}, {"spec": {"args": [], "metrics": 3}}, {"spec": {"args": "x"}}]
)
def test_what_is_no_analysis_run_has_no_rule(raw: dict[str, Any]) -> None:
    """Nothing is raised, whatever the file holds."""
    assert threshold_of(raw) is None


def test_durations() -> None:
    """Those of Prometheus and Kubernetes."""
    assert [90.0, 90.0, 0.25, 86_400.0, 5400.0] == [
        seconds(text) for text in ("90s", "1m30s", "250ms", "1d", "1.5h")
    ]
    for text in ("", "5", "s", "1m 30s", "-5s"):
        with pytest.raises(ValueError, match="is no duration"):
            seconds(text)
