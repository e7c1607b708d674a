"""Whether the account's quotas leave room for an installation, and whether EKS still has its version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from rollbook.aws.clients import Clients
from rollbook.aws.findings import Finding, State, asked, judged
from rollbook.aws.inventory import pages
from rollbook.aws.translation import translated

STANDARD_FAMILIES = "acdhimrtz"
"""First letters of the instance types that the quota of standard instances counts."""
SOON = timedelta(days=60)


@dataclass(frozen=True)
class Needs:
    """What one installation adds: VPCs, addresses of NAT gateways, EKS clusters, vCPUs of its nodes."""

    vpcs: int = 1
    addresses: int = 1
    clusters: int = 1
    vcpus: int = 4


@dataclass(frozen=True)
class Quota:
    """A quota by AWS' codes, and how what is used of it is counted."""

    name: str
    service: str
    code: str
    used: Callable[[Clients], float]


def _vpcs(clients: Clients) -> float:
    return sum(1 for _ in pages(clients.of("ec2"), "describe_vpcs", "Vpcs"))


def _addresses(clients: Clients) -> float:
    return sum(1 for _ in pages(clients.of("ec2"), "describe_addresses", "Addresses"))


def _clusters(clients: Clients) -> float:
    return sum(1 for _ in pages(clients.of("eks"), "list_clusters", "clusters"))


def _vcpus(clients: Clients) -> float:
    return sum(
        int(one.get("CpuOptions", {}).get("CoreCount", 0))
        * int(one.get("CpuOptions", {}).get("ThreadsPerCore", 1))
        for one in _instances(clients)
    )


def _instances(clients: Clients) -> Iterator[Any]:
    for reservation in pages(clients.of("ec2"), "describe_instances", "Reservations"):
        for one in reservation["Instances"]:
            on_demand = "InstanceLifecycle" not in one
            if (
                on_demand
                and one["State"]["Name"] == "running"
                and one["InstanceType"][0] in STANDARD_FAMILIES
            ):
                yield one


VPCS = Quota("VPCs", "vpc", "L-F678F1CE", _vpcs)
ADDRESSES = Quota("public addresses", "ec2", "L-0263D0A3", _addresses)
CLUSTERS = Quota("EKS clusters", "eks", "L-1194D53C", _clusters)
VCPUS = Quota("vCPUs of standard instances on demand", "ec2", "L-1216C47A", _vcpus)


def quotas(clients: Clients, needs: Needs, *, installed: bool) -> tuple[Finding, ...]:
    """A finding for each quota. `installed`: the cluster is there already, so that nothing is added."""
    wanted = (
        (VPCS, needs.vpcs),
        (ADDRESSES, needs.addresses),
        (CLUSTERS, needs.clusters),
        (VCPUS, needs.vcpus),
    )
    return tuple(
        asked(
            f"quota: {quota.name}",
            partial(_room, clients, quota, 0 if installed else needed),
            emulated=clients.emulated,
        )
        for quota, needed in wanted
    )


def _room(clients: Clients, quota: Quota, needed: int) -> Finding:
    with translated(f"ask for the quota of {quota.name}"):
        allowed = _allowed(clients.of("service-quotas"), quota)
        used = quota.used(clients)
    return judged(
        f"quota: {quota.name}",
        State.OK if used + needed <= allowed else State.FAIL,
        f"{allowed:g} allowed, {used:g} used, {needed} needed",
        f"Ask for more in the Service Quotas console ({quota.service} {quota.code}), or free some.",
    )


def _allowed(client: Any, quota: Quota) -> float:
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        return float(client.get_service_quota(**names)["Quota"]["Value"])
    except client.exceptions.NoSuchResourceException:  # never raised in this account: AWS' own default
        return float(client.get_aws_default_service_quota(**names)["Quota"]["Value"])


def version_support(clients: Clients, version: str, now: datetime) -> Finding:
    """Whether EKS supports that minor version of Kubernetes, and for how long at the standard price."""
    name = f"EKS version {version}"
    return asked(name, lambda: _support(clients, name, version, now), emulated=clients.emulated)


def _support(clients: Clients, name: str, version: str, now: datetime) -> Finding:
    with translated("ask which versions EKS has"):
        found = clients.of("eks").describe_cluster_versions(clusterVersions=[version])["clusterVersions"]
    step = "Set kubernetes_version to a newer one (terraform/variables.tf)."
    if not found or found[0].get("versionStatus") == "UNSUPPORTED":
        return Finding(name, State.FAIL, "EKS does not have it", step)
    if found[0].get("versionStatus") != "STANDARD_SUPPORT":
        return Finding(name, State.WARN, "in extended support, at six times the price of a cluster", step)
    ends: datetime | None = found[0].get("endOfStandardSupportDate")
    if ends is None:
        return Finding(name, State.OK, "in standard support")
    state = State.WARN if ends - now < SOON else State.OK
    return judged(name, state, f"in standard support until {ends:%d %B %Y}", step)
