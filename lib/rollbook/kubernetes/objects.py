"""Pods, nodes, events and versions in the domain's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rollbook.domain.release import Component
from rollbook.domain.rollout import ClusterEvent, PodStatus
from rollbook.kubernetes.rollouts import HASH_LABEL, time_of

Json = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def pod_status(pod: Json, *, container: str = "") -> PodStatus:
    """A pod; image and its digest are those of `container`, or of the first container."""
    metadata, spec, status = pod["metadata"], pod.get("spec", {}), pod.get("status", {})
    states = status.get("containerStatuses") or []
    chosen = _named(states, container)
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or []}
    return PodStatus(
        name=metadata["name"],
        template_hash=(metadata.get("labels") or {}).get(HASH_LABEL, ""),
        phase=status.get("phase", "Pending"),
        ready=conditions.get("Ready") == "True",
        ip=status.get("podIP", ""),
        node=spec.get("nodeName", ""),
        image=_named(spec.get("containers") or [], container).get("image", ""),
        image_id=chosen.get("imageID", ""),
        restarts=sum(int(state.get("restartCount") or 0) for state in states),
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def log_container(pod: Json, container: str) -> str:
    """Name of the container whose log is wanted: `container` if the pod has it, else its first."""
    return str(_named(pod.get("spec", {}).get("containers") or [], container).get("name", ""))


def cluster_event(event: Json) -> ClusterEvent:
    """A core/v1 event; its time is that of its newest occurrence."""
    metadata, about = event["metadata"], event.get("involvedObject") or {}
    times = (
        (event.get("series") or {}).get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        metadata.get("creationTimestamp"),
    )
    return ClusterEvent(
        time=next((found for found in map(time_of, times) if found), _EPOCH),
        kind=about.get("kind", ""),
        name=about.get("name", ""),
        reason=event.get("reason") or "",
        message=event.get("message") or "",
        type=event.get("type") or "Normal",
        reporter=event.get("reportingComponent") or (event.get("source") or {}).get("component", ""),
        uid=metadata.get("uid", ""),
    )


def node_component(node: Json) -> Component:
    """A node: its kubelet's version, and whether it is ready."""
    status = node.get("status", {})
    ready = next((one for one in status.get("conditions") or [] if one.get("type") == "Ready"), None) or {}
    healthy = ready.get("status") == "True"
    return Component(
        name=f"node {node['metadata']['name']}",
        version=(status.get("nodeInfo") or {}).get("kubeletVersion", ""),
        healthy=healthy,
        detail="" if healthy else str(ready.get("message") or "its Ready condition is not True"),
    )


def deployment_component(deployment: Json) -> Component:
    """A Deployment as a part of the environment: version from its image's tag, healthy when available."""
    containers = deployment["spec"]["template"]["spec"].get("containers") or [{}]
    tag = str(containers[0].get("image", "")).partition("@")[0].rpartition("/")[2].partition(":")[2]
    wanted = int(deployment["spec"].get("replicas", 1))
    available = int(deployment.get("status", {}).get("availableReplicas") or 0)
    return Component(
        name=deployment["metadata"]["name"],
        version=tag,
        healthy=wanted > 0 and available >= wanted,
        detail=f"{available} of {wanted} replicas available",
    )


def _named(things: Sequence[Json], name: str) -> Json:
    first: Json = next(iter(things), {})
    return next((thing for thing in things if thing.get("name") == name), first)
