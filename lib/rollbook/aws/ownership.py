"""Whose a resource of AWS is, by its tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

EKS_OWN = "aws:eks:cluster-name"
"""EKS puts it on what it makes and takes away itself, such as the cluster's security group."""


@dataclass(frozen=True)
class Resource:
    """Something that exists. `kind` as Terraform calls it without `aws_`; `id` as its service names it."""

    kind: str
    id: str
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    arn: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


def tags_of(listed: Iterable[Mapping[str, Any]] | Mapping[str, str] | None) -> dict[str, str]:
    """Tags in any of AWS' spellings: a map, or a list with `Key`, `key` or `TagKey`."""
    if listed is None:
        return {}
    if isinstance(listed, Mapping):
        return dict(listed)
    found = {}
    for tag in listed:
        spelled = {name.lower().removeprefix("tag"): one for name, one in tag.items()}
        found[str(spelled["key"])] = str(spelled.get("value", ""))
    return found


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether all of the wanted tags are there with these values; never when none is wanted."""
    return bool(wanted) and all(tags.get(name) == value for name, value in wanted.items())


def made_for(tags: Mapping[str, str], cluster: str) -> bool:
    """Whether a controller of that cluster made it, by the tags that controllers leave.

    The AWS Load Balancer Controller, the VPC CNI, EKS Auto Mode, the cloud provider (`owned`; what is
    `shared` is not the cluster's) and the EBS CSI driver, as each documents it.
    """
    return cluster != "" and (
        tags.get("elbv2.k8s.aws/cluster") == cluster
        or tags.get("cluster.k8s.amazonaws.com/name") == cluster
        or tags.get("eks:eks-cluster-name") == cluster
        or tags.get(f"kubernetes.io/cluster/{cluster}") == "owned"
        or tags.get("KubernetesCluster") == cluster
    )
