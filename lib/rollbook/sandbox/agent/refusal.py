"""What the node agent cannot do, and says so instead of leaving it out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rollbook.sandbox.agent.api import Json

_WHY = "pods of the sandbox are ordinary host processes"
_POD_FLAGS = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
_POD_FIELDS = (
    "hostAliases",
    "runtimeClassName",
    "ephemeralContainers",
    "resourceClaims",
    "activeDeadlineSeconds",
)
# Sidecars and restart rules of one container are refused too: the sandbox knows the pod's restartPolicy only.
_CONTAINER_FIELDS = (
    "securityContext.privileged",
    "securityContext.capabilities.add",
    "volumeDevices",
    "restartPolicy",
    "restartPolicyRules",
    "stdin",
    "tty",
    "startupProbe.grpc",
    "readinessProbe.grpc",
    "livenessProbe.grpc",
    "lifecycle.stopSignal",
)
_VOLUMES = frozenset({"name", "emptyDir", "configMap", "secret", "downwardAPI", "projected"})
_PROJECTIONS = frozenset({"configMap", "secret", "downwardAPI", "serviceAccountToken"})


def refusal(pod: Json) -> str | None:
    """One sentence that names every field that the sandbox cannot honour; None when the pod can be run."""
    fields = list(_unsupported(pod["spec"]))
    return f"the sandbox cannot honour {', '.join(fields)}: {_WHY}" if fields else None


def _unsupported(spec: Json) -> Iterator[str]:
    yield from (f"spec.{name}" for name in _POD_FLAGS if spec.get(name) is True)
    yield from (f"spec.{name}" for name in _POD_FIELDS if spec.get(name))
    if (spec.get("securityContext") or {}).get("sysctls"):
        yield "spec.securityContext.sysctls"
    if (spec.get("os") or {}).get("name", "linux") != "linux":
        yield "spec.os.name"
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from (f"spec.volumes[{index}].{kind}" for kind in volume if kind not in _VOLUMES)
        for place, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            here = f"spec.volumes[{index}].projected.sources[{place}]"
            yield from (f"{here}.{kind}" for kind in source if kind not in _PROJECTIONS)
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind) or ()):
            yield from _unsupported_container(f"spec.{kind}[{index}]", container)


def _unsupported_container(here: str, container: Json) -> Iterator[str]:
    for path in _CONTAINER_FIELDS:
        value: Any = container
        for name in path.split("."):
            value = (value or {}).get(name)
        if value:
            yield f"{here}.{path}"
    for group, field in (("ports", "hostPort"), ("volumeMounts", "subPathExpr")):
        for index, entry in enumerate(container.get(group) or ()):
            if entry.get(field):
                yield f"{here}.{group}[{index}].{field}"
    for index, entry in enumerate(container.get("env") or ()):
        if (entry.get("valueFrom") or {}).get("fileKeyRef"):
            yield f"{here}.env[{index}].valueFrom.fileKeyRef"
