"""What there is in an AWS account that is emulated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import boto3

Answer = Mapping[str, Any]

OF_EC2 = (
    ("vpc", "VpcId"),
    ("subnet", "SubnetId"),
    ("route_table", "RouteTableId"),
    ("internet_gateway", "InternetGatewayId"),
    ("security_group", "GroupId"),
    ("network_interface", "NetworkInterfaceId"),
    ("volume", "VolumeId"),
    ("launch_template", "LaunchTemplateId"),
    ("vpc_endpoint", "VpcEndpointId"),
    ("flow_log", "FlowLogId"),
)
"""What is asked for by `describe_<kind>s`, and the field of its identifier."""


class Account:
    """What is in the account, asked service by service: a sweep by tag alone would see only what has tags."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        session = boto3.session.Session(
            aws_access_key_id="emulated", aws_secret_access_key="emulated", region_name=region
        )

        def client(name: str) -> Any:
            return session.client(name, endpoint_url=endpoint_url)  # type: ignore[call-overload]  # any service

        self._client: Callable[[str], Any] = client

    def everything(self) -> set[str]:
        """Each thing that exists and is not on its way out, as `kind identifier`."""
        found = {f"{kind} {one[field]}" for kind, field in OF_EC2 for one in self._of_ec2(kind)}
        for kind, named in self._others():
            found |= {f"{kind} {name}" for name in named}
        return found

    def delete_cluster(self, name: str) -> None:
        """Delete an EKS cluster behind everybody's back."""
        self._client("eks").delete_cluster(name=name)

    def tags(self) -> dict[str, set[str]]:
        """Keys of the tags of what EC2 has, by identifier."""
        found: dict[str, set[str]] = {}
        for page in self._client("ec2").get_paginator("describe_tags").paginate():
            for tag in page["Tags"]:
                found.setdefault(tag["ResourceId"], set()).add(tag["Key"])
        return found

    def _of_ec2(self, kind: str) -> list[Answer]:
        field = "".join(word.capitalize() for word in f"{kind}s".split("_"))
        answer: list[Answer] = getattr(self._client("ec2"), f"describe_{kind}s")()[field]
        return answer

    def _others(self) -> Iterator[tuple[str, Iterable[str]]]:
        ec2, iam, secrets = (self._client(name) for name in ("ec2", "iam", "secretsmanager"))
        yield "address", (one["AllocationId"] for one in ec2.describe_addresses()["Addresses"])
        gateways = ec2.describe_nat_gateways()["NatGateways"]
        # AWS shows deleted ones for an hour.
        yield "nat_gateway", (one["NatGatewayId"] for one in gateways if one["State"] != "deleted")
        yield "cluster", self._client("eks").list_clusters()["clusters"]
        repositories = self._client("ecr").describe_repositories()["repositories"]
        yield "repository", (one["repositoryName"] for one in repositories)
        listed = secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]
        yield "secret", (one["Name"] for one in listed)
        yield "role", (one["RoleName"] for one in iam.list_roles()["Roles"])
        providers = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        yield "oidc_provider", (one["Arn"] for one in providers)
        groups = self._client("logs").describe_log_groups()["logGroups"]
        yield "log_group", (one["logGroupName"] for one in groups)
        yield "key", self._keys()
        aliases = self._client("kms").list_aliases()["Aliases"]
        yield "alias", (one["AliasName"] for one in aliases if not one["AliasName"].startswith("alias/aws/"))
        account = self._client("sts").get_caller_identity()["Account"]
        budgets = self._client("budgets").describe_budgets(AccountId=account).get("Budgets", [])
        yield "budget", (one["BudgetName"] for one in budgets)

    def _keys(self) -> Iterator[str]:
        kms = self._client("kms")
        for one in kms.list_keys()["Keys"]:
            key = kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]
            # A key cannot be deleted at once: AWS keeps it for a week at least, free of charge.
            if key["KeyState"] != "PendingDeletion" and key["KeyManager"] == "CUSTOMER":
                yield key["KeyId"]
