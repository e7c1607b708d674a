"""What each type of resource is charged for. A type that is in none of the tables is named, not left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rollbook.costs.model import Counted, Unknown

FREE = frozenset(
    {
        "aws_budgets_budget",  # that only sends e-mails
        "aws_default_security_group",
        "aws_ecr_lifecycle_policy",
        "aws_eks_access_entry",
        "aws_eks_access_policy_association",
        "aws_eks_addon",  # those of AWS; those of the marketplace have prices of their own
        "aws_eks_pod_identity_association",
        "aws_iam_openid_connect_provider",
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_internet_gateway",
        "aws_kms_alias",
        "aws_route",
        "aws_route_table",
        "aws_route_table_association",
        "aws_security_group",
        "aws_subnet",
        "aws_vpc",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
    }
)
"""Types that cost nothing by themselves."""
DEFAULT_DISK_GB = 20
"""Disk of a node of a managed group that says nothing of it."""


@dataclass(frozen=True)
class Charge:
    """So many units of a price, for `what`."""

    what: str
    price: str
    quantity: Decimal = Decimal(1)
    note: str = ""


@dataclass(frozen=True)
class Use:
    """A price that is charged by use."""

    what: str
    price: str


Told = Charge | Use | Unknown
Rule = Callable[[Counted, Sequence[Counted]], Iterator[Told]]


def told(resource: Counted, every: Sequence[Counted]) -> tuple[Told, ...]:
    """What a resource is charged for, among all others; empty when it is free."""
    rule = RULES.get(resource.kind)
    if rule is not None:
        return tuple(rule(resource, every))
    if resource.kind in FREE:
        return ()
    return (Unknown(resource.address, resource.kind, "nobody has told whether this type costs money"),)


def zones(every: Sequence[Counted]) -> int:
    """Availability zones of the subnets; 1 at least."""
    named = {one.values.get("availability_zone") for one in every if one.kind == "aws_subnet"}
    return max(1, len(named - {None}))


def _each(price: str) -> Rule:
    def rule(resource: Counted, _every: Sequence[Counted]) -> Iterator[Told]:
        yield Charge(resource.address, price)

    return rule


def _use(price: str) -> Rule:
    def rule(resource: Counted, _every: Sequence[Counted]) -> Iterator[Told]:
        yield Use(resource.address, price)

    return rule


def _cluster(resource: Counted, _every: Sequence[Counted]) -> Iterator[Told]:
    standard = _first(resource, "upgrade_policy").get("support_type") == "STANDARD"
    note = (
        ""
        if standard
        else "0.60 an hour once its version has left standard support: extended is EKS's default"
    )
    yield Charge(resource.address, "eks_cluster", note=note)
    if _first(resource, "compute_config").get("enabled"):
        why = "Auto Mode chooses instances when pods need them, at their own price and about 12 % more"
        yield Unknown(f"nodes of {resource.address}", resource.kind, why)


def _nodes(resource: Counted, every: Sequence[Counted]) -> Iterator[Told]:
    wanted = _first(resource, "scaling_config").get("desired_size")
    kinds = resource.values.get("instance_types") or ()
    if not isinstance(wanted, int) or not kinds:
        yield Unknown(resource.address, resource.kind, "number or type of its nodes is not known yet")
        return
    number = Decimal(wanted)
    spot = resource.values.get("capacity_type") == "SPOT"
    note = "Spot, counted as if on demand: its price changes by the hour" if spot else ""
    yield Charge(f"{wanted} {kinds[0]}: {resource.address}", instance_price(str(kinds[0])), number, note)
    yield _disks(resource, every, number)
    if any(one.kind == "aws_subnet" and one.values.get("map_public_ip_on_launch") for one in every):
        what = f"{wanted} public addresses: {resource.address}"
        yield Charge(what, "public_ipv4", number, "as nodes of public subnets have one each")


def instance_price(kind: str) -> str:
    """Name of the price of an instance type: `ec2_t4g_medium` for `t4g.medium`."""
    return f"ec2_{kind.replace('.', '_').replace('-', '_')}"


def _disks(group: Counted, every: Sequence[Counted], number: Decimal) -> Told:
    """Disks of a group's nodes: its own setting, else that of the launch template of the same name."""
    size, kind, note = group.values.get("disk_size"), "gp3", ""
    if not isinstance(size, int):
        key = _key(group.address)
        templates = [one for one in every if one.kind == "aws_launch_template" and _key(one.address) == key]
        disks = [
            _first_of(mapping.get("ebs"))
            for one in templates
            for mapping in one.values.get("block_device_mappings") or ()
        ]
        sizes = [disk.get("volume_size") for disk in disks]
        size = sum(one for one in sizes if isinstance(one, int)) or None
        kind = next((str(disk["volume_type"]) for disk in disks if disk.get("volume_type")), kind)
    if size is None:
        size, note = DEFAULT_DISK_GB, f"{DEFAULT_DISK_GB} GB each, EKS's default: nothing says another size"
    return Charge(f"disks of {group.address}", f"ebs_{kind}", number * size, note)


def _key(address: str) -> str:
    """Module and key of an address: `module.cluster["main"]` for `module.cluster.aws_x.this["main"]`."""
    module = address.rpartition(".aws_")[0]
    return f"{module}{address[address.index('[') :] if address.endswith(']') else ''}"


def _endpoint(resource: Counted, every: Sequence[Counted]) -> Iterator[Told]:
    if resource.values.get("vpc_endpoint_type", "Gateway") == "Gateway":
        yield Charge(resource.address, "gateway_endpoint")
        return
    subnets = resource.values.get("subnet_ids")
    number = len(subnets) if subnets else zones(every)
    note = "" if subnets else "one in each zone, as which subnets it is in is known after apply"
    yield Charge(resource.address, "interface_endpoint", Decimal(number), note)
    yield Use(resource.address, "interface_endpoint_data")


def _nat(resource: Counted, _every: Sequence[Counted]) -> Iterator[Told]:
    yield Charge(resource.address, "nat_gateway")
    yield Use(resource.address, "nat_gateway_data")


def _load_balancer(resource: Counted, _every: Sequence[Counted]) -> Iterator[Told]:
    if resource.values.get("load_balancer_type") != "network":
        yield Unknown(resource.address, resource.kind, "only network load balancers have a price here")
        return
    yield Charge(resource.address, "network_load_balancer")
    yield Use(resource.address, "network_load_balancer_capacity")


def _template(_resource: Counted, _every: Sequence[Counted]) -> Iterator[Told]:
    """Free; its disks are counted with the group that uses it."""
    yield from ()


RULES: Mapping[str, Rule] = {
    "aws_cloudwatch_log_group": _use("cloudwatch_logs"),
    "aws_ecr_repository": _use("ecr_storage"),
    "aws_eip": _each("public_ipv4"),
    "aws_eks_cluster": _cluster,
    "aws_eks_node_group": _nodes,
    "aws_flow_log": _use("cloudwatch_logs"),
    "aws_kms_key": _each("kms_key"),
    "aws_launch_template": _template,
    "aws_lb": _load_balancer,
    "aws_nat_gateway": _nat,
    "aws_secretsmanager_secret": _each("secret"),
    "aws_vpc_endpoint": _endpoint,
}


def _first(resource: Counted, block: str) -> Mapping[str, Any]:
    return _first_of(resource.values.get(block))


def _first_of(blocks: object) -> Mapping[str, Any]:
    """A nested block: Terraform gives a list of one."""
    found = blocks[0] if isinstance(blocks, list | tuple) and blocks else None
    return found if isinstance(found, Mapping) else {}
