from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import psutil

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.agent.podspec import ContainerSpec, FieldRef, KeyRef, PodSpec, ResourceRef
from rollbook.sandbox.agent.quantities import parse_quantity

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class ConfigError(EnvironmentFailedError):
    """Something that the pod's configuration names is not there."""


class ObjectReader(Protocol):
    """Reads ConfigMaps and Secrets."""

    async def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Content of a `configmaps` or `secrets` object by key; None when there is no such object."""


@dataclass(frozen=True)
class Placement:
    """Where the pod is."""

    node_name: str
    node_ip: str
    pod_ip: str


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by the variable; `$$(NAME)` stays as `$(NAME)`, and so does an unknown name."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return known.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def field_value(pod: PodSpec, place: Placement, path: str) -> str:
    """The value of a downward API field. ConfigError for a field that there is not."""
    if match := _SUBSCRIPT.fullmatch(path):
        return (pod.labels if match[1] == "labels" else pod.annotations).get(match[2], "")
    values = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "metadata.labels": _lines(pod.labels),
        "metadata.annotations": _lines(pod.annotations),
        "spec.nodeName": place.node_name,
        "spec.serviceAccountName": pod.service_account,
        "status.podIP": place.pod_ip,
        "status.podIPs": place.pod_ip,
        "status.hostIP": place.node_ip,
        "status.hostIPs": place.node_ip,
    }
    if path not in values:
        raise ConfigError(f"the field {path} is not known to the downward API")
    return values[path]


def resource_value(pod: PodSpec, ref: ResourceRef, container: str) -> str:
    """A request or limit as a whole number of its divisor; a limit not set is what the node has."""
    wanted = ref.container or container
    spec = next((item for item in (*pod.init_containers, *pod.containers) if item.name == wanted), None)
    if spec is None:
        raise ConfigError(f"the pod has no container {wanted!r}")
    group, _, resource = ref.resource.partition(".")
    chosen = spec.limits if group == "limits" else spec.requests
    fallback = {"cpu": str(os.cpu_count() or 1), "memory": str(psutil.virtual_memory().total)}
    text = chosen.get(resource) or (fallback.get(resource, "0") if group == "limits" else "0")
    divisor = parse_quantity(ref.divisor) or 1
    return str(math.ceil(parse_quantity(text) / divisor))


async def container_environment(
    pod: PodSpec, container: ContainerSpec, place: Placement, image: Mapping[str, str], objects: ObjectReader
) -> dict[str, str]:
    """The variables of a container: the image's, then `envFrom`, then `env` in order.

    Values of `env` that refer to earlier ones are expanded. ConfigError when one cannot be had.
    """
    known = dict(image)
    for group in container.env_from:
        content = await objects.data(group.kind, pod.namespace, group.name)
        if content is None:
            if group.optional:
                continue
            raise ConfigError(f"{_singular(group.kind)} {group.name!r} not found")
        known.update(
            {group.prefix + key: _text(group.kind, group.name, key, content[key]) for key in content}
        )
    for variable in container.env:
        match variable.value:
            case str() as text:
                known[variable.name] = expand(text, known)
            case FieldRef(path):
                known[variable.name] = field_value(pod, place, path)
            case ResourceRef() as ref:
                known[variable.name] = resource_value(pod, ref, container.name)
            case KeyRef() as ref:
                value = await _key(pod, ref, objects)
                if value is not None:
                    known[variable.name] = value
    return known


async def _key(pod: PodSpec, ref: KeyRef, objects: ObjectReader) -> str | None:
    content = await objects.data(ref.kind, pod.namespace, ref.name)
    if content is not None and ref.key in content:
        return _text(ref.kind, ref.name, ref.key, content[ref.key])
    if ref.optional:
        return None
    if content is None:
        raise ConfigError(f"{_singular(ref.kind)} {ref.name!r} not found")
    raise ConfigError(f"{_singular(ref.kind)} {ref.name!r} has no key {ref.key!r}")


def _text(kind: str, name: str, key: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"key {key!r} of {_singular(kind)} {name!r} is not text") from error
    if "\0" in text:
        raise ConfigError(f"key {key!r} of {_singular(kind)} {name!r} holds a zero byte")
    return text


def _singular(kind: str) -> str:
    return kind.removesuffix("s")


def _lines(entries: Mapping[str, str]) -> str:
    quoted = (
        (key, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for key, value in entries.items()
    )
    return "\n".join(f'{key}="{value}"' for key, value in sorted(quoted))
