"""What controllers of a cluster made behind Terraform's back, removed before a destroy that would hang on it.

Load balancers, their target groups, security groups and network interfaces. Only what carries the tags of
this cluster's controllers and is in this cluster's VPC is touched. A controller that still runs makes again
what its Services ask for: delete Services of type LoadBalancer first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from rollbook.aws.clients import Clients
from rollbook.aws.inventory import classic_load_balancers, load_balancers, pages, target_groups
from rollbook.aws.ownership import EKS_OWN, Resource, made_for, tags_of
from rollbook.aws.settling import waited
from rollbook.aws.translation import code_of, translated
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.ports import Clock

WITHIN_S = 300.0
"""How long all of it may take: a load balancer's network interfaces outlive it by a minute or two."""
STILL_IN_USE = {
    "DependencyViolation",
    "ResourceInUse",
    "InvalidNetworkInterface.InUse",
    "InvalidParameterValue",
}
"""What deleting answers while something that is being deleted still holds on to it."""
GONE = {
    "InvalidGroup.NotFound",
    "InvalidGroupId.NotFound",
    "InvalidNetworkInterfaceID.NotFound",
    "LoadBalancerNotFound",
    "TargetGroupNotFound",
}


@dataclass(frozen=True)
class Kept:
    """Something of the cluster's that was left alone, and why."""

    resource: Resource
    why: str


@dataclass(frozen=True)
class Removed:
    """What was removed, in order, and what was left alone."""

    removed: tuple[Resource, ...]
    kept: tuple[Kept, ...]


def remove_leftovers(
    clients: Clients, *, cluster: str, vpc: str, clock: Clock, within_s: float = WITHIN_S
) -> Removed:
    """Remove what the controllers of `cluster` left in `vpc` (its id). May be called again at any time.

    BadInputError without a cluster or a VPC; EnvironmentFailedError when something is still there after
    `within_s` seconds, or for whatever AWS refuses.
    """
    if not cluster or not vpc:
        raise BadInputError(
            "left-over load balancers cannot be looked for without a cluster and a VPC",
            next_step="Take both from Terraform's outputs (cluster_name, vpc_id).",
        )
    return _Removal(clients, cluster, vpc, clock, within_s).run()


class _Removal:
    def __init__(self, clients: Clients, cluster: str, vpc: str, clock: Clock, within_s: float) -> None:
        self._cluster = cluster
        self._vpc = vpc
        self._clock = clock
        self._deadline = clock.monotonic() + within_s
        self._within_s = within_s
        self._ec2: Any = clients.of("ec2")
        self._elbv2: Any = clients.of("elbv2")
        self._elb: Any = clients.of("elb")

    def run(self) -> Removed:
        with translated(f"list what the cluster {self._cluster} left behind"):
            here = self._in_vpc()
            balancers = [*self._ours(load_balancers(self._elbv2), here)]
            classics = [*self._ours(classic_load_balancers(self._elb), here)]
            groups = [*self._ours(target_groups(self._elbv2), here)]
            firewalls = [*self._security_groups()]
        removed: list[Resource] = []
        for one in balancers:
            self._remove(one, partial(self._elbv2.delete_load_balancer, LoadBalancerArn=one.id), removed)
        for one in classics:
            self._remove(one, partial(self._elb.delete_load_balancer, LoadBalancerName=one.id), removed)
        self._wait_for_interfaces_of([*balancers, *classics])
        for one in groups:
            self._remove(one, partial(self._elbv2.delete_target_group, TargetGroupArn=one.id), removed)
        free, kept = self._interfaces()
        for one in free:
            self._remove(one, partial(self._ec2.delete_network_interface, NetworkInterfaceId=one.id), removed)
        for one in firewalls:
            self._revoke_mentions(one)
        for one in firewalls:
            self._remove(one, partial(self._ec2.delete_security_group, GroupId=one.id), removed)
        return Removed(tuple(removed), tuple(kept))

    def _in_vpc(self) -> set[str]:
        """ARNs and names of all load balancers and target groups in the VPC."""
        subnets = {
            str(one["SubnetId"])
            for one in pages(self._ec2, "describe_subnets", "Subnets")
            if one.get("VpcId") == self._vpc
        }
        here: set[str] = set()
        for one in pages(self._elbv2, "describe_load_balancers", "LoadBalancers"):
            zones = {str(zone.get("SubnetId", "")) for zone in one.get("AvailabilityZones") or ()}
            if one.get("VpcId") == self._vpc or zones & subnets:
                here.add(str(one["LoadBalancerArn"]))
        for one in pages(self._elb, "describe_load_balancers", "LoadBalancerDescriptions"):
            if one.get("VPCId") == self._vpc:
                here.add(str(one["LoadBalancerName"]))
        for one in pages(self._elbv2, "describe_target_groups", "TargetGroups"):
            if one.get("VpcId") == self._vpc:
                here.add(str(one["TargetGroupArn"]))
        return here

    def _ours(self, found: Iterable[Resource], here: set[str]) -> Iterable[Resource]:
        return (one for one in found if one.id in here and made_for(one.tags, self._cluster))

    def _security_groups(self) -> Iterable[Resource]:
        for one in pages(self._ec2, "describe_security_groups", "SecurityGroups"):
            tags = tags_of(one.get("Tags"))
            mine = one.get("VpcId") == self._vpc and made_for(tags, self._cluster)
            if mine and EKS_OWN not in tags:  # EKS's own one goes with the cluster
                yield Resource("security_group", one["GroupId"], tags)

    def _interfaces(self) -> tuple[list[Resource], list[Kept]]:
        free, kept = [], []
        with translated("list network interfaces"):
            for one in pages(self._ec2, "describe_network_interfaces", "NetworkInterfaces"):
                tags = tags_of(one.get("TagSet") or one.get("Tags"))
                if one.get("VpcId") != self._vpc or not made_for(tags, self._cluster):
                    continue
                found = Resource("network_interface", one["NetworkInterfaceId"], tags)
                holder = (one.get("Attachment") or {}).get("InstanceId")
                if one.get("Status") == "available":
                    free.append(found)
                else:
                    kept.append(Kept(found, f"in use by {holder or 'AWS itself'}, and goes with it"))
        return free, kept

    def _wait_for_interfaces_of(self, balancers: list[Resource]) -> None:
        """AWS removes a load balancer's interfaces itself, some time after it; a subnet waits for them."""
        theirs = {_described(one) for one in balancers}

        def left() -> list[str]:
            with translated("list network interfaces"):
                listed = pages(self._ec2, "describe_network_interfaces", "NetworkInterfaces")
                return [str(one["NetworkInterfaceId"]) for one in listed if one.get("Description") in theirs]

        if theirs:
            still = waited(left, lambda found: not found, clock=self._clock, within_s=self._left())
            if still:
                raise self._too_long(f"the network interfaces {', '.join(still)} of removed load balancers")

    def _revoke_mentions(self, group: Resource) -> None:
        """Take out the rules of other groups that name this one: as long as they do, it cannot be deleted."""
        with translated(f"take the security group {group.id} out of other groups' rules"):
            for one in pages(self._ec2, "describe_security_groups", "SecurityGroups"):
                if one.get("VpcId") != self._vpc or one["GroupId"] == group.id:
                    continue
                for key, revoke in (
                    ("IpPermissions", self._ec2.revoke_security_group_ingress),
                    ("IpPermissionsEgress", self._ec2.revoke_security_group_egress),
                ):
                    rules = _naming(one.get(key) or (), group.id)
                    if rules:
                        revoke(GroupId=one["GroupId"], IpPermissions=rules)

    def _remove(self, one: Resource, delete: Callable[[], object], removed: list[Resource]) -> None:
        """Delete until it is done: what holds on to it may be on its way out."""

        def done() -> bool:
            with translated(f"remove the {one.kind.replace('_', ' ')} {one.id}"):
                try:
                    delete()
                except ClientError as error:
                    if code_of(error) in STILL_IN_USE:
                        return False
                    if code_of(error) not in GONE:
                        raise
            return True

        if not waited(done, bool, clock=self._clock, within_s=self._left()):
            raise self._too_long(f"the {one.kind.replace('_', ' ')} {one.id}")
        removed.append(one)

    def _left(self) -> float:
        return self._deadline - self._clock.monotonic()

    def _too_long(self, told: str) -> EnvironmentFailedError:
        return EnvironmentFailedError(
            f"{told} is still in use after {self._within_s:g} s",
            why=f"something in {self._vpc} holds on to it, or AWS is slow to let it go",
            next_step="Run the teardown again; if it stays, the EC2 console shows what it is attached to.",
        )


def _described(balancer: Resource) -> str:
    """What AWS writes into the description of a load balancer's network interfaces."""
    return f"ELB {balancer.id.partition(':loadbalancer/')[2] or balancer.id}"


def _naming(rules: Iterable[Any], group: str) -> list[dict[str, Any]]:
    """The rules as they allow that group, without whatever else they allow."""
    found = []
    for rule in rules:
        pairs = [pair for pair in rule.get("UserIdGroupPairs") or () if pair.get("GroupId") == group]
        if pairs:
            kept = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
            found.append({**kept, "UserIdGroupPairs": [{"GroupId": group}]})
    return found
