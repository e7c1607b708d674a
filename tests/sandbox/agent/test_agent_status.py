from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rollbook.sandbox.agent.podparse import parse_pod
from rollbook.sandbox.agent.podspec import PodSpec
from rollbook.sandbox.agent.records import (
    ContainerRecord,
    PodFolder,
    PodRecord,
    ProcessRef,
    Running,
    Terminated,
    Waiting,
    saved_records,
)
from rollbook.sandbox.agent.status import pod_phase, pod_status

RUNNING = Running(100.0, ProcessRef(7, 9))
WELL = Terminated(0, "Completed", 100.0, 101.0, "id0")
ILL = Terminated(3, "Error", 100.0, 101.0, "id0", message="why")
CRASHING = ContainerRecord("c", Waiting("CrashLoopBackOff"), last=ILL, restarts=1)
CREATING = ContainerRecord("c")


def spec(policy: str = "Always", *, init: bool = False, gates: tuple[str, ...] = ()) -> PodSpec:
    """A pod of one container `c`, and perhaps an init container `i`."""
    body: dict[str, object] = {
        "containers": [{"name": "c", "image": "r@sha256:1"}],
        "restartPolicy": policy,
        "readinessGates": [{"conditionType": gate} for gate in gates],
    }
    if init:
        body["initContainers"] = [{"name": "i"}]
    return parse_pod({"metadata": {"uid": "u", "namespace": "ns", "name": "p"}, "spec": body})


def record(*containers: ContainerRecord, refused: str = "") -> PodRecord:
    """A record of pod `p`."""
    return PodRecord("u", "ns", "p", "127.77.1.1", 99.0, refused, containers)


def container(
    state: Waiting | Running | Terminated, name: str = "c", *, ready: bool = True
) -> ContainerRecord:
    """A container in a state."""
    return ContainerRecord(name, state, container_id="id1", image_id="r@sha256:1", started=True, ready=ready)


@pytest.mark.parametrize(
    ("policy", "item", "over", "phase"),
    [
        ("Always", CREATING, False, "Pending"),
        ("Always", container(RUNNING), False, "Running"),
        ("Always", CRASHING, False, "Running"),
        ("Always", container(WELL), False, "Running"),
        ("Always", container(WELL), True, "Succeeded"),
        ("Always", container(ILL), True, "Failed"),
        ("Always", CREATING, True, "Failed"),
        ("Never", container(WELL), False, "Succeeded"),
        ("Never", container(ILL), False, "Failed"),
        ("OnFailure", container(WELL), False, "Succeeded"),
        ("OnFailure", container(ILL), False, "Running"),
    ],
)
def test_phase(policy: str, item: ContainerRecord, over: bool, phase: str) -> None:
    """The phase follows from the container's state and the restart policy."""
    assert phase == pod_phase(spec(policy), record(item), over=over)


def test_init_phases() -> None:
    """A pod is Pending while it initializes, and Failed when that failed for good."""
    started, failed = container(RUNNING, "i"), container(ILL, "i")
    assert pod_phase(spec(init=True), record(started)) == "Pending"
    assert pod_phase(spec(init=True), record(failed)) == "Pending"
    assert pod_phase(spec("Never", init=True), record(failed)) == "Failed"
    assert pod_phase(spec(init=True), record(container(WELL, "i"), container(RUNNING))) == "Running"


def conditions(
    pod: PodSpec, item: PodRecord, previous: dict[str, object] | None = None, now: float = 200.0
) -> dict[str, str]:
    """Status by type of condition."""
    status = pod_status(pod, item, node_ip="127.77.0.1", previous=previous or {}, now=now)
    return {entry["type"]: entry["status"] for entry in status["conditions"]}


def test_ready() -> None:
    """A pod is ready when all of its containers are."""
    assert conditions(spec(), record(container(RUNNING))) == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
    }
    assert conditions(spec(), record(container(RUNNING, ready=False)))["Ready"] == "False"
    assert conditions(spec(), record(CRASHING))["Ready"] == "False"


def test_readiness_gates() -> None:
    """A readiness gate that is not true holds Ready back, not ContainersReady."""
    item = record(container(RUNNING))
    closed = conditions(spec(gates=("edge",)), item)
    assert (closed["ContainersReady"], closed["Ready"]) == ("True", "False")
    previous = {"conditions": [{"type": "edge", "status": "True", "lastTransitionTime": "x"}]}
    assert conditions(spec(gates=("edge",)), item, previous)["Ready"] == "True"


def test_transition_times() -> None:
    """A condition keeps its time until its status changes."""
    first = pod_status(spec(), record(container(RUNNING)), node_ip="n", previous={}, now=200.0)
    later = pod_status(
        spec(), record(container(RUNNING, ready=False)), node_ip="n", previous=first, now=300.0
    )
    times = {entry["type"]: entry["lastTransitionTime"] for entry in later["conditions"]}
    assert times["Initialized"] == "1970-01-01T00:03:20Z"
    assert times["Ready"] == "1970-01-01T00:05:00Z"


def test_unchanged_is_equal() -> None:
    """The same state gives the same status at any time, so that nothing is sent."""
    first = pod_status(spec(), record(container(RUNNING)), node_ip="n", previous={}, now=200.0)
    assert first == pod_status(spec(), record(container(RUNNING)), node_ip="n", previous=first, now=900.0)


def test_container_status() -> None:
    """A crashing container shows why it waits and how it ended last."""
    status = pod_status(spec(), record(CRASHING), node_ip="n", previous={}, now=200.0)["containerStatuses"][0]
    assert status["state"] == {"waiting": {"reason": "CrashLoopBackOff"}}
    assert status["lastState"]["terminated"] == {
        "exitCode": 3,
        "reason": "Error",
        "message": "why",
        "startedAt": "1970-01-01T00:01:40Z",
        "finishedAt": "1970-01-01T00:01:41Z",
        "containerID": "rollbook://id0",
    }
    assert (status["restartCount"], status["ready"], status["started"]) == (1, False, False)


def test_refused() -> None:
    """A refused pod has failed, with the reason, and without containers."""
    status = pod_status(spec(), record(refused="no hostNetwork here"), node_ip="n", previous={}, now=200.0)
    assert (status["phase"], status["reason"], status["message"]) == (
        "Failed",
        "UnsupportedPod",
        "no hostNetwork here",
    )
    assert "containerStatuses" not in status


def test_records_survive(tmp_path: Path) -> None:
    """What is saved is read back, whatever state the containers are in."""
    kept = record(container(RUNNING), replace(CRASHING, name="d"), container(WELL, "e"))
    folder = PodFolder(tmp_path, "u")
    folder.create()
    folder.save(kept)
    assert [kept] == list(saved_records(tmp_path))


def test_broken_record(tmp_path: Path) -> None:
    """A record that cannot be read is removed with its folder."""
    (tmp_path / "u").mkdir()
    (tmp_path / "u/record.json").write_text(json.dumps({"uid": "u"}))
    assert list(saved_records(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
