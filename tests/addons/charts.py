"""What the pinned charts make of our values: rendered once, and read as plain objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

OUTPUTS = {
    "cluster_name": "rollbook",
    "region": "us-east-1",
    "vpc_id": "vpc-0123456789abcdef0",
    "load_balancer_class": "service.k8s.aws/nlb",
}
"""Outputs of Terraform, as terraform/outputs.tf names them."""

Objects = list[dict[str, Any]]


class _Loader(yaml.CSafeLoader):
    """YAML 1.1 knows a value `=`, which a definition of Prometheus' operator has, and PyYAML does not."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)


def objects_of(text: str) -> Objects:
    """The objects of a YAML stream."""
    return [each for each in yaml.load_all(text, _Loader) if each]


def pod_specs(objects: Objects) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Each workload's name, its number of pods on two nodes, and its pod's spec."""
    for each in objects:
        if each["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
            pods = 2 if each["kind"] == "DaemonSet" else int(each["spec"].get("replicas", 1))
            yield f"{each['kind']} {each['metadata']['name']}", pods, each["spec"]["template"]["spec"]


def unknown(values: Mapping[str, Any], chart: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Paths of our values that the chart's own values do not have; below an empty mapping, all is allowed."""
    for key, value in values.items():
        where = f"{path}.{key}".lstrip(".")
        if key not in chart:
            yield where
        elif isinstance(value, Mapping) and isinstance(chart[key], Mapping) and chart[key]:
            yield from unknown(value, chart[key], where)


def number(quantity: object) -> float:
    """A quantity of Kubernetes as a number: cores, or bytes."""
    text = str(quantity)
    for suffix, factor in (("Mi", 2**20), ("Gi", 2**30), ("m", 0.001)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text)
