"""What exists in one account and region, asked service by service, with its tags.

A search by tag alone (Resource Groups Tagging API) names what was deleted an hour ago, and leaves out what
carries no tags of its own: so each service is asked itself. Only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollbook.aws.clients import Clients
from rollbook.aws.ownership import Resource, tags_of
from rollbook.aws.translation import translated

DESCRIBED_AT_ONCE = 20
"""Load balancers and target groups that one DescribeTags takes."""


@dataclass(frozen=True)
class Source:
    """A kind of thing: which service knows it, and how it is listed."""

    kind: str
    service: str
    listed: Callable[[Any, str], Iterator[Resource]]
    """Takes the service's client and the installation's name."""


def existing(clients: Clients, source: Source, name: str) -> tuple[Resource, ...]:
    """All of that kind that exist and are not on their way out. `name` narrows what is looked through where
    only names tell whose a thing is."""
    with translated(f"list what there is of {source.kind}"):
        return tuple(source.listed(clients.of(source.service), name))


def pages(client: Any, operation: str, key: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
    """Items of all pages of a listing."""
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**parameters):
            yield from page.get(key) or ()
    else:
        yield from getattr(client, operation)(**parameters).get(key) or ()


def _ec2(kind: str, operation: str, key: str, field: str, *over: str) -> Source:
    """A kind of EC2's. `over`: values of `State` (or `Status`) of what is gone and still listed."""

    def listed(client: Any, _name: str) -> Iterator[Resource]:
        for one in pages(client, operation, key):
            if str(one.get("State", one.get("Status", ""))).lower() not in over:
                yield Resource(kind, one[field], tags_of(one.get("Tags") or one.get("TagSet")))

    return Source(kind, "ec2", listed)


def _instances(client: Any, _name: str) -> Iterator[Resource]:
    for reservation in pages(client, "describe_instances", "Reservations"):
        for one in reservation["Instances"]:
            if one["State"]["Name"] not in {"terminated", "shutting-down"}:
                yield Resource("instance", one["InstanceId"], tags_of(one.get("Tags")))


def _clusters(client: Any, _name: str) -> Iterator[Resource]:
    for name in pages(client, "list_clusters", "clusters"):
        found = client.describe_cluster(name=name)["cluster"]
        yield Resource("eks_cluster", str(name), tags_of(found.get("tags")), found["arn"])


def _repositories(client: Any, _name: str) -> Iterator[Resource]:
    for one in pages(client, "describe_repositories", "repositories"):
        tags = client.list_tags_for_resource(resourceArn=one["repositoryArn"])["tags"]
        yield Resource("ecr_repository", one["repositoryName"], tags_of(tags), one["repositoryArn"])


def _secrets(client: Any, _name: str) -> Iterator[Resource]:
    for one in pages(client, "list_secrets", "SecretList"):
        if not one.get("DeletedDate"):
            yield Resource("secretsmanager_secret", one["Name"], tags_of(one.get("Tags")), one["ARN"])


def _roles(client: Any, name: str) -> Iterator[Resource]:
    for one in pages(client, "list_roles", "Roles"):
        if one["RoleName"].startswith(f"{name}-"):
            tags = client.list_role_tags(RoleName=one["RoleName"])["Tags"]
            yield Resource("iam_role", one["RoleName"], tags_of(tags), one["Arn"])


def _oidc_providers(client: Any, _name: str) -> Iterator[Resource]:
    for one in pages(client, "list_open_id_connect_providers", "OpenIDConnectProviderList"):
        found = client.get_open_id_connect_provider(OpenIDConnectProviderArn=one["Arn"])
        yield Resource("iam_openid_connect_provider", one["Arn"], tags_of(found.get("Tags")), one["Arn"])


def _log_groups(client: Any, name: str) -> Iterator[Resource]:
    for one in pages(client, "describe_log_groups", "logGroups"):
        if name in one["logGroupName"].split("/"):
            arn = one["arn"].removesuffix(":*")
            tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
            yield Resource("cloudwatch_log_group", one["logGroupName"], tags_of(tags), arn)


def _keys(client: Any, _name: str) -> Iterator[Resource]:
    for one in pages(client, "list_keys", "Keys"):
        key = client.describe_key(KeyId=one["KeyId"])["KeyMetadata"]
        # A key cannot be deleted at once: AWS keeps it for a week at least, free of charge.
        if key["KeyManager"] == "CUSTOMER" and key["KeyState"] != "PendingDeletion":
            tags = client.list_resource_tags(KeyId=one["KeyId"])["Tags"]
            yield Resource("kms_key", key["KeyId"], tags_of(tags), key["Arn"])


def load_balancers(client: Any, _name: str = "") -> Iterator[Resource]:
    """Application, network and gateway load balancers, by ARN."""
    arns = [str(one["LoadBalancerArn"]) for one in pages(client, "describe_load_balancers", "LoadBalancers")]
    yield from _tagged(client, "lb", arns)


def target_groups(client: Any, _name: str = "") -> Iterator[Resource]:
    """Target groups of load balancers, by ARN."""
    arns = [str(one["TargetGroupArn"]) for one in pages(client, "describe_target_groups", "TargetGroups")]
    yield from _tagged(client, "lb_target_group", arns)


def classic_load_balancers(client: Any, _name: str = "") -> Iterator[Resource]:
    """Load balancers of the first generation, by name."""
    listed = pages(client, "describe_load_balancers", "LoadBalancerDescriptions")
    names = [str(one["LoadBalancerName"]) for one in listed]
    for first in range(0, len(names), DESCRIBED_AT_ONCE):
        some = names[first : first + DESCRIBED_AT_ONCE]
        for one in client.describe_tags(LoadBalancerNames=some)["TagDescriptions"]:
            yield Resource("elb", one["LoadBalancerName"], tags_of(one.get("Tags")))


def _tagged(client: Any, kind: str, arns: list[str]) -> Iterator[Resource]:
    for first in range(0, len(arns), DESCRIBED_AT_ONCE):
        some = arns[first : first + DESCRIBED_AT_ONCE]
        for one in client.describe_tags(ResourceArns=some)["TagDescriptions"]:
            yield Resource(kind, one["ResourceArn"], tags_of(one.get("Tags")), one["ResourceArn"])


SOURCES = (
    _ec2("vpc", "describe_vpcs", "Vpcs", "VpcId"),
    _ec2("subnet", "describe_subnets", "Subnets", "SubnetId"),
    _ec2("route_table", "describe_route_tables", "RouteTables", "RouteTableId"),
    _ec2("internet_gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    _ec2("security_group", "describe_security_groups", "SecurityGroups", "GroupId"),
    _ec2("network_interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    _ec2("ebs_volume", "describe_volumes", "Volumes", "VolumeId", "deleting", "deleted"),
    _ec2("launch_template", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    _ec2("vpc_endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "deleting", "deleted"),
    _ec2("flow_log", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    _ec2("eip", "describe_addresses", "Addresses", "AllocationId"),
    _ec2("nat_gateway", "describe_nat_gateways", "NatGateways", "NatGatewayId", "deleting", "deleted"),
    Source("instance", "ec2", _instances),
    Source("eks_cluster", "eks", _clusters),
    Source("ecr_repository", "ecr", _repositories),
    Source("secretsmanager_secret", "secretsmanager", _secrets),
    Source("iam_role", "iam", _roles),
    Source("iam_openid_connect_provider", "iam", _oidc_providers),
    Source("cloudwatch_log_group", "logs", _log_groups),
    Source("kms_key", "kms", _keys),
    Source("lb", "elbv2", load_balancers),
    Source("lb_target_group", "elbv2", target_groups),
    Source("elb", "elb", classic_load_balancers),
)
"""Every kind that terraform/ or a controller of the cluster makes, and that outlives a failed destroy."""
