from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from rollbook.sandbox.agent.environment import (
    ConfigError,
    Placement,
    container_environment,
    expand,
    field_value,
    resource_value,
)
from rollbook.sandbox.agent.podparse import parse_pod
from rollbook.sandbox.agent.podspec import PodSpec, ResourceRef

PLACE = Placement("sandbox", "127.77.0.1", "127.77.1.1")


class Objects:
    """ConfigMaps and Secrets out of a dictionary."""

    def __init__(self, content: Mapping[tuple[str, str], Mapping[str, bytes]]) -> None:
        self._content = content

    async def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """What the dictionary has."""
        assert namespace == "ns"
        return self._content.get((kind, name))


OBJECTS = Objects(
    {("configmaps", "cfg"): {"A": b"1", "B": b"2"}, ("secrets", "sec"): {"S": b"s3", "raw": b"\xff"}}
)


def pod(**container: object) -> PodSpec:
    """A pod with one container `c`."""
    return parse_pod(
        {
            "metadata": {
                "uid": "u1",
                "namespace": "ns",
                "name": "p",
                "labels": {"app": "shop", "tier": 'a"b'},
                "annotations": {"note": "x"},
            },
            "spec": {"containers": [{"name": "c", "image": "i", **container}]},
        }
    )


def environment(image: Mapping[str, str] | None = None, **container: object) -> dict[str, str]:
    """The container's environment."""
    spec = pod(**container)
    return asyncio.run(container_environment(spec, spec.containers[0], PLACE, image or {}, OBJECTS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://$(HOST):$(PORT)/", "http://h:80/"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(HOST)", "$(HOST)"),
        ("$$$(HOST)", "$h"),
        ("100$", "100$"),
        ("$(HO ST)", "$(HO ST)"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    """References are expanded as Kubernetes does it, unknown ones stay."""
    assert expected == expand(text, {"HOST": "h", "PORT": "80"})


def test_order_and_references() -> None:
    """A variable sees those before it and not those after it."""
    found = environment(
        {"BASE": "image"},
        env=[
            {"name": "ONE", "value": "$(BASE)-$(TWO)"},
            {"name": "TWO", "value": "2"},
            {"name": "BASE", "value": "pod"},
        ],
    )
    assert found == {"ONE": "image-$(TWO)", "TWO": "2", "BASE": "pod"}


def test_sources() -> None:
    """Values come from the pod, its resources, ConfigMaps and Secrets; `env` wins over `envFrom`."""
    found = environment(
        resources={"limits": {"memory": "64Mi", "cpu": "250m"}},
        envFrom=[{"configMapRef": {"name": "cfg"}, "prefix": "P_"}, {"configMapRef": {"name": "cfg"}}],
        env=[
            {"name": "A", "value": "mine"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "S"}}},
            {
                "name": "MEM",
                "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
            },
            {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "S", "optional": True}}},
        ],
    )
    assert found == {
        "P_A": "1", "P_B": "2", "A": "mine", "B": "2", "IP": "127.77.1.1", "APP": "shop", "NODE": "sandbox",
        "S": "s3", "MEM": "64",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ({"secretKeyRef": {"name": "no", "key": "S"}}, "secret 'no' not found"),
        ({"secretKeyRef": {"name": "sec", "key": "T"}}, "secret 'sec' has no key 'T'"),
        ({"secretKeyRef": {"name": "sec", "key": "raw"}}, "is not text"),
        ({"configMapKeyRef": {"name": "no", "key": "S"}}, "configmap 'no' not found"),
        ({"fieldRef": {"fieldPath": "spec.colour"}}, "spec.colour is not known"),
        ({"resourceFieldRef": {"resource": "limits.cpu", "containerName": "d"}}, "no container 'd'"),
    ],
)
def test_missing(ref: dict[str, object], message: str) -> None:
    """What is missing is named."""
    with pytest.raises(ConfigError, match=message):
        environment(env=[{"name": "X", "valueFrom": ref}])


def test_missing_group() -> None:
    """A missing `envFrom` object is an error unless it is optional."""
    with pytest.raises(ConfigError, match="configmap 'no' not found"):
        environment(envFrom=[{"configMapRef": {"name": "no"}}])
    assert environment(envFrom=[{"configMapRef": {"name": "no", "optional": True}}]) == {}


def test_labels_as_lines() -> None:
    """All labels together are sorted lines with quoted values."""
    assert field_value(pod(), PLACE, "metadata.labels") == 'app="shop"\ntier="a\\"b"'


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("limits.cpu", "1m", "250"),
        ("limits.cpu", "1", "1"),
        ("limits.cpu", "0", "1"),
        ("requests.memory", "1", "0"),
    ],
)
def test_resources(resource: str, divisor: str, expected: str) -> None:
    """A resource is counted in its divisor and rounded up."""
    spec = pod(resources={"limits": {"cpu": "250m"}})
    assert expected == resource_value(spec, ResourceRef("", resource, divisor), "c")


def test_unset_limit_is_the_nodes() -> None:
    """A memory limit that is not set is what the node has."""
    assert int(resource_value(pod(), ResourceRef("", "limits.memory", "1"), "c")) > 2**20
