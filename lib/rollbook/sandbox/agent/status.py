"""The status of a pod as the API has it, computed from what the agent knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollbook.sandbox.agent.clock import rfc3339
from rollbook.sandbox.agent.podspec import ContainerSpec, PodSpec
from rollbook.sandbox.agent.records import ContainerRecord, PodRecord, Running, Terminated, Waiting

_ORDER = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")


@dataclass(frozen=True)
class Condition:
    """A condition of the pod before it has a time."""

    kind: str
    true: bool
    reason: str = ""
    message: str = ""


def pod_status(
    pod: PodSpec,
    record: PodRecord,
    *,
    node_ip: str,
    previous: Mapping[str, Any],
    now: float,
    over: bool = False,
) -> dict[str, Any]:
    """The status to report. `previous` is the one reported before: unchanged conditions keep their time.

    `over` says that nothing of the pod will run again, whatever its restart policy says.
    """
    phase = pod_phase(pod, record, over=over)
    conditions = [
        _timed(condition, previous.get("conditions") or (), now)
        for condition in pod_conditions(pod, record, phase, previous.get("conditions") or ())
    ]
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": conditions,
        "hostIP": node_ip,
        "hostIPs": [{"ip": node_ip}],
        "startTime": rfc3339(record.start_time),
    }
    if record.refused:
        status["reason"], status["message"] = "UnsupportedPod", record.refused
        return status
    if record.address:
        status["podIP"], status["podIPs"] = record.address, [{"ip": record.address}]
    if pod.init_containers:
        initialized = _initialized(pod, record)
        status["initContainerStatuses"] = [
            container_status(spec, record.container(spec.name), initializing=not initialized)
            for spec in pod.init_containers
        ]
    status["containerStatuses"] = [
        container_status(spec, record.container(spec.name), initializing=not _initialized(pod, record))
        for spec in pod.containers
    ]
    return status


def pod_phase(pod: PodSpec, record: PodRecord, *, over: bool = False) -> str:
    """Pending, Running, Succeeded or Failed."""
    if record.refused:
        return "Failed"
    if not _initialized(pod, record):
        return "Failed" if over or _init_failed(pod, record) else "Pending"
    policy = "Never" if over else pod.restart_policy
    records = [record.container(spec.name) for spec in pod.containers]
    if not over and any(item is None or _never_ran(item) for item in records):
        return "Pending"
    ends = [_end(item) for item in records]
    if any(end is None for end in ends) and not over:
        return "Running"
    if policy == "Always":
        return "Running"
    if all(end is not None and end.exit_code == 0 for end in ends):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def pod_conditions(
    pod: PodSpec, record: PodRecord, phase: str, previous: Sequence[Mapping[str, Any]]
) -> tuple[Condition, ...]:
    """The conditions that the node decides on; PodScheduled is the scheduler's and stays."""
    if record.refused:
        return tuple(
            Condition(kind, kind == "Initialized", "UnsupportedPod", record.refused) for kind in _ORDER
        )
    initialized = _initialized(pod, record)
    unfinished = [spec.name for spec in pod.init_containers if not _succeeded(record.container(spec.name))]
    done = phase in {"Succeeded", "Failed"}
    reason = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    unready = [spec.name for spec in pod.containers if not _ready(record.container(spec.name))]
    if done:
        containers_ready = Condition("ContainersReady", true=False, reason=reason)
    elif unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        containers_ready = Condition(
            "ContainersReady", true=False, reason="ContainersNotReady", message=message
        )
    else:
        containers_ready = Condition("ContainersReady", true=True)
    gates = {item["type"]: item["status"] for item in previous}
    closed = [gate for gate in pod.readiness_gates if gates.get(gate) != "True"]
    if containers_ready.true and closed:
        message = f"readiness gates that are not true: [{' '.join(closed)}]"
        ready = Condition("Ready", true=False, reason="ReadinessGatesNotReady", message=message)
    else:
        ready = Condition("Ready", containers_ready.true, containers_ready.reason, containers_ready.message)
    waiting = f"containers with incomplete status: [{' '.join(unfinished)}]"
    return (
        Condition("PodReadyToStartContainers", bool(record.address) and not done),
        Condition("Initialized", true=True)
        if initialized
        else Condition("Initialized", true=False, reason="ContainersNotInitialized", message=waiting),
        ready,
        containers_ready,
    )


def container_status(
    spec: ContainerSpec, record: ContainerRecord | None, *, initializing: bool
) -> dict[str, Any]:
    """One entry of `containerStatuses`."""
    if record is None:
        reason = "PodInitializing" if initializing else "ContainerCreating"
        record = ContainerRecord(spec.name, Waiting(reason))
    running = isinstance(record.state, Running)
    status: dict[str, Any] = {
        "name": spec.name,
        "image": spec.image,
        "imageID": record.image_id,
        "restartCount": record.restarts,
        "ready": _ready(record) or (isinstance(record.state, Terminated) and record.ready),
        "started": running and record.started,
        "state": _state(record.state),
        "lastState": {} if record.last is None else _state(record.last),
    }
    if record.container_id:
        status["containerID"] = container_uri(record.container_id)
    return status


def container_uri(container_id: str) -> str:
    """A container's id with its runtime, as the API writes it."""
    return f"rollbook://{container_id}"


def _state(state: Waiting | Running | Terminated) -> dict[str, Any]:
    match state:
        case Waiting(reason, message):
            return {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        case Running(started_at):
            return {"running": {"startedAt": rfc3339(started_at)}}
        case Terminated() as end:
            terminated: dict[str, Any] = {
                "exitCode": end.exit_code,
                "reason": end.reason,
                "startedAt": rfc3339(end.started_at),
                "finishedAt": rfc3339(end.finished_at),
                "containerID": container_uri(end.container_id),
            }
            if end.signal:
                terminated["signal"] = end.signal
            if end.message:
                terminated["message"] = end.message
            return {"terminated": terminated}


def _timed(condition: Condition, previous: Sequence[Mapping[str, Any]], now: float) -> dict[str, Any]:
    status = "True" if condition.true else "False"
    entry: dict[str, Any] = {"type": condition.kind, "status": status, "lastProbeTime": None}
    # Null takes a reason of before away: the patch merges conditions by their type.
    entry["reason"], entry["message"] = condition.reason or None, condition.message or None
    before = next((item for item in previous if item["type"] == condition.kind), None)
    same = before is not None and before["status"] == status
    entry["lastTransitionTime"] = (
        before["lastTransitionTime"] if before is not None and same else rfc3339(now)
    )
    return entry


def _initialized(pod: PodSpec, record: PodRecord) -> bool:
    return all(_succeeded(record.container(spec.name)) for spec in pod.init_containers)


def _init_failed(pod: PodSpec, record: PodRecord) -> bool:
    states = [record.container(spec.name) for spec in pod.init_containers]
    failed = any(
        item is not None and isinstance(item.state, Terminated) and item.state.exit_code != 0
        for item in states
    )
    return failed and pod.restart_policy == "Never"


def _succeeded(record: ContainerRecord | None) -> bool:
    return record is not None and isinstance(record.state, Terminated) and record.state.exit_code == 0


def _ready(record: ContainerRecord | None) -> bool:
    return record is not None and isinstance(record.state, Running) and record.started and record.ready


def _never_ran(record: ContainerRecord) -> bool:
    return isinstance(record.state, Waiting) and record.last is None


def _end(record: ContainerRecord | None) -> Terminated | None:
    """How it ended, if it is not running: in back-off, the run before counts."""
    if record is None or isinstance(record.state, Running):
        return None
    return record.state if isinstance(record.state, Terminated) else record.last
