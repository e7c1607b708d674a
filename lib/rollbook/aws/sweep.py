"""After a destroy: what is left of an installation, by tag and by asking each service itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rollbook.aws.clients import Clients
from rollbook.aws.inventory import SOURCES, existing, pages
from rollbook.aws.ownership import Resource, has_tags, made_for
from rollbook.aws.settling import waited
from rollbook.aws.translation import translated
from rollbook.ports import Clock

GONE_WITHIN_S = 60.0
"""How long AWS may take until what was deleted is no longer listed."""
ASKED_THEMSELVES = {
    "ec2": {
        "elastic-ip", "instance", "internet-gateway", "launch-template", "natgateway", "network-interface",
        "route-table", "security-group", "security-group-rule", "subnet", "volume", "vpc", "vpc-endpoint",
        "vpc-flow-log",
    },
    "ecr": {"repository"},
    "eks": {"access-entry", "addon", "cluster", "nodegroup", "podidentityassociation"},
    "elasticloadbalancing": {"listener", "listener-rule", "loadbalancer", "targetgroup"},
    "kms": {"key"},
    "secretsmanager": {"secret"},
}  # fmt: skip
"""Types of ARNs by service: what was asked itself, or goes with what was, so that its answer counts more than
the Tagging API's."""


@dataclass(frozen=True)
class Swept:
    """What a sweep found."""

    left: tuple[Resource, ...]
    """Exists, and carries the installation's tags or those of its cluster's controllers."""
    asked: tuple[str, ...]
    """Kinds that were looked for, with their service."""
    gone: tuple[str, ...]
    """ARNs that the Tagging API still names, while the service itself no longer has them."""
    emulated: bool

    @property
    def clean(self) -> bool:
        """Whether nothing is left."""
        return not self.left


def sweep(
    clients: Clients,
    *,
    cluster: str,
    tags: Mapping[str, str],
    clock: Clock,
    within_s: float = GONE_WITHIN_S,
) -> Swept:
    """Look for what carries all of `tags`, or was made by a controller of `cluster`. Changes nothing.

    Looks again until nothing is left or `within_s` seconds have passed. `cluster` is the installation's name
    too: roles and log groups are looked through by it. EnvironmentFailedError when a service cannot be asked:
    a sweep that could not look everywhere has found nothing out.
    """
    return waited(
        lambda: _look(clients, cluster, tags), lambda swept: swept.clean, clock=clock, within_s=within_s
    )


def _look(clients: Clients, cluster: str, tags: Mapping[str, str]) -> Swept:
    there = [one for source in SOURCES for one in existing(clients, source, cluster)]
    left = [one for one in there if _ours(one, cluster, tags)]
    known = {one.id for one in there} | {one.arn for one in there if one.arn}
    gone = []
    for arn in _by_tag(clients, tags):
        if known & _names(arn):
            continue
        service, kind = arn.split(":")[2], re.split("[:/]", arn.split(":", 5)[5])[0]
        if kind in ASKED_THEMSELVES.get(service, ()):
            gone.append(arn)
        else:
            left.append(Resource(f"{service} {kind}", arn, dict(tags), arn))
    asked = tuple(f"{source.service} {source.kind}" for source in SOURCES)
    return Swept(
        left=tuple(sorted(left, key=str)),
        asked=(*asked, "tagging"),
        gone=tuple(sorted(gone)),
        emulated=clients.emulated,
    )


def _ours(one: Resource, cluster: str, tags: Mapping[str, str]) -> bool:
    # EKS makes its log group anew, without tags, when its last lines come after the group was deleted.
    logs = one.kind == "cloudwatch_log_group" and one.id == f"/aws/eks/{cluster}/cluster"
    return logs or has_tags(one.tags, tags) or made_for(one.tags, cluster)


def _by_tag(clients: Clients, tags: Mapping[str, str]) -> list[str]:
    if not tags:
        return []
    wanted = [{"Key": name, "Values": [value]} for name, value in tags.items()]
    with translated("look for what carries the installation's tags"):
        client = clients.of("resourcegroupstaggingapi")
        found = pages(client, "get_resources", "ResourceTagMappingList", TagFilters=wanted)
        return [str(one["ResourceARN"]) for one in found]


def _names(arn: str) -> set[str]:
    """What an inventory may call the thing: its ARN, or what stands behind the type."""
    rest = arn.split(":", 5)[5]
    return {arn, rest, rest.partition("/")[2], rest.rpartition("/")[2], rest.partition(":")[2]}
