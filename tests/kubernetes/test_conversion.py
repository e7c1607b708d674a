from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from rollbook.domain.rollout import Step
from rollbook.errors import EnvironmentFailedError
from rollbook.kubernetes import objects
from rollbook.kubernetes.discovery import Resource, resources_of
from rollbook.kubernetes.rollouts import (
    HASH_LABEL,
    analysis_run,
    duration_of,
    rollout_status,
    stable_template,
    strategy_steps,
)

Recorded = Callable[[str], Any]


def test_a_rollout_at_its_first_step(recorded: Recorded) -> None:
    """Weight, hashes and step are those that Argo's status holds."""
    status = rollout_status(recorded("rollout-at-20"))
    assert ("Progressing", 20, 1, 6, False, False) == (
        status.phase,
        status.weight,
        status.step_index,
        status.step_count,
        status.paused,
        status.aborted,
    )
    assert ("9676dccdb", "78456bdc6c") == (status.stable_hash, status.current_hash)
    assert (2, 2, 3, 3) == (
        status.generation,
        status.observed_generation,
        status.replicas,
        status.ready_replicas,
    )
    assert not status.settled


def test_an_aborted_rollout(recorded: Recorded) -> None:
    """The moment of the abort and its reason are told."""
    status = rollout_status(recorded("rollout-aborted"))
    assert ("Degraded", True, datetime(2026, 11, 23, 10, 33, 56, tzinfo=UTC)) == (
        status.phase,
        status.aborted,
        status.aborted_at,
    )
    assert 'Metric "success-rate" assessed Failed' in status.message
    assert "hello-5f9996bb87-3" == status.background_run


def test_a_rollout_that_argo_has_not_seen() -> None:
    """Without a status nothing is settled, and no weight is set."""
    status = rollout_status({"metadata": {"name": "x", "generation": 1}, "spec": {}})
    assert ("Progressing", 0, 0, False) == (
        status.phase,
        status.weight,
        status.observed_generation,
        status.settled,
    )


def test_the_image_is_that_of_the_named_container() -> None:
    """A sidecar that stands first does not hide the service; an unknown name falls back to the first."""
    containers = [{"name": "proxy", "image": "p"}, {"name": "hello", "image": "h"}]
    rollout = {"metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": containers}}}}
    assert ["h", "p", "p"] == [
        rollout_status(rollout, container=name).image for name in ("hello", "", "other")
    ]


def test_the_steps_of_the_strategy(recorded: Recorded) -> None:
    """Weights and pauses come in their order."""
    assert (
        Step(set_weight=20),
        Step(pause_s=15.0, pauses=True),
        Step(set_weight=50),
        Step(pause_s=15.0, pauses=True),
        Step(set_weight=100),
        Step(pause_s=5.0, pauses=True),
    ) == strategy_steps(recorded("rollout-at-20"))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(None, None), ("", None), (30, 30.0), ("30", 30.0), ("1m30s", 90.0), ("500ms", 0.5), ("1.5h", 5400.0)],
)
def test_durations_as_argo_writes_them(written: object, seconds: float | None) -> None:
    """Numbers are seconds, the rest is Go's notation; nothing at all is a pause without end."""
    assert seconds == duration_of(written)


@pytest.mark.parametrize("written", ["soon", "1m x", "-5s", "s"])
def test_what_is_no_duration(written: str) -> None:
    """A duration that cannot be read is an error that quotes it."""
    with pytest.raises(EnvironmentFailedError, match=written):
        duration_of(written)


def test_an_analysis_run_says_why_it_failed(recorded: Recorded) -> None:
    """Each metric has its measurements, its condition, and its query with the arguments filled in."""
    run = analysis_run(recorded("analysisrun-failed"))
    assert ("Failed", "3", True) == (run.phase, run.rollout_revision, run.ended)
    success, latency = run.metrics
    assert ("success-rate", "Failed", 2, 0, "1") == (
        success.name,
        success.phase,
        success.failed,
        success.successful,
        success.failure_limit,
    )
    assert ["[0.8421052631578947]", "[0.8]"] == [one.value for one in success.measurements]
    assert 'pod_template_hash="5f9996bb87"' in success.query
    assert "{{" not in success.query + success.failure_condition
    assert "result[0] < 0.95" in success.failure_condition
    assert ("p95-latency", "Successful", 2) == (latency.name, latency.phase, latency.successful)
    assert run.started_at is not None
    assert run.finished_at == datetime(2026, 11, 23, 10, 33, 56, tzinfo=UTC)


def test_an_analysis_run_without_results() -> None:
    """A run that has just begun has metrics without measurements; a secret argument stays a reference."""
    spec = {
        "args": [{"name": "key", "valueFrom": {}}],
        "metrics": [{"name": "m", "provider": {"prometheus": {"query": "{{ args.key }}"}}}],
    }
    run = analysis_run({"metadata": {"name": "r"}, "spec": spec})
    (metric,) = run.metrics
    assert ("Pending", False, "{{ args.key }}", ()) == (
        run.phase,
        run.ended,
        metric.query,
        metric.measurements,
    )


def test_the_stable_template_is_found_without_argos_label(recorded: Recorded) -> None:
    """An undo puts back what was written, not what Argo added."""
    rollout = recorded("rollout-aborted")
    template = stable_template(rollout, recorded("replicasets"))
    assert template is not None
    assert HASH_LABEL not in template["metadata"]["labels"]
    assert "hello" == template["metadata"]["labels"]["app"]
    assert stable_template(rollout, []) is None


def test_a_pod(recorded: Recorded) -> None:
    """Hash, address, node and the digest that the node reports."""
    (pod,) = map(objects.pod_status, recorded("pods"))
    assert ("78456bdc6c", "Running", True, "127.193.1.4", "sandbox", 0, False) == (
        pod.template_hash,
        pod.phase,
        pod.ready,
        pod.ip,
        pod.node,
        pod.restarts,
        pod.deleting,
    )
    assert "@sha256:" in pod.image


def test_events_have_the_time_of_their_newest_occurrence(recorded: Recorded) -> None:
    """Old and new ways of writing an event's time are both understood."""
    event = objects.cluster_event(recorded("events")[0])
    assert datetime(2026, 11, 23, 10, 33, 49, tzinfo=UTC) == event.time
    fresh = {
        "metadata": {"uid": "u"},
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "series": {"lastObservedTime": "2026-01-01T00:00:09.5Z"},
        "type": None,
    }
    assert datetime(2026, 1, 1, 0, 0, 9, 500000, tzinfo=UTC) == objects.cluster_event(fresh).time


def test_a_node(recorded: Recorded) -> None:
    """A node is as healthy as its Ready condition."""
    (node,) = recorded("nodes")
    assert objects.node_component(node).healthy
    assert not objects.node_component({"metadata": {"name": "n"}}).healthy


def test_a_deployment_tells_its_version() -> None:
    """The version is the image's tag, with or without a registry's port."""
    deployment = {
        "metadata": {"name": "argo-rollouts"},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"containers": [{"image": "reg:5000/argo/rollouts:v1.10.2@sha256:0"}]}},
        },
        "status": {"availableReplicas": 1},
    }
    component = objects.deployment_component(deployment)
    assert ("v1.10.2", False) == (component.version, component.healthy)


def test_discovery_knows_paths(recorded: Recorded) -> None:
    """A kind leads to the path of its objects and subresources."""
    found = {resource.kind: resource for resource in resources_of(recorded("apis"))}
    rollout = found["Rollout"]
    assert Resource("argoproj.io", "v1alpha1", "Rollout", "rollouts", namespaced=True) == rollout
    assert "/apis/argoproj.io/v1alpha1/namespaces/a/rollouts/b/status" == rollout.path("a", "b", "status")
    assert "/api/v1/namespaces/x" == Resource("", "v1", "Namespace", "namespaces", False).path("", "x")
