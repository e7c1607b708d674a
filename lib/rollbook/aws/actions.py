"""Which of AWS' operations rollbook calls, and what for: the one list, which tests compare with the code.

Terraform calls more by itself, with whatever credentials it is given; those are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

IAM_PREFIX = {
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
}
"""How IAM spells a service, where it is not as boto3 does."""
ACTION_OF = {"budgets:DescribeBudgets": "budgets:ViewBudget"}
"""How IAM spells an operation, where it is not as the service does."""
NEEDS_NONE = {"sts:GetCallerIdentity"}
"""Allowed to whoever has credentials, whatever a policy says."""


class Purpose(StrEnum):
    """What an operation is called for."""

    RELEASE = "release"
    """deploy, canary, validate: without it no release."""
    PROVISION = "provision"
    """Made where it is missing: a role that only deploys need not be allowed to."""
    TEARDOWN = "teardown"
    PREFLIGHT = "preflight"
    """Asked by `rollbook doctor` only; a check that may not look says so."""


@dataclass(frozen=True)
class Call:
    """An operation by the names of boto3's service and of AWS' API (`elbv2`, `DescribeLoadBalancers`)."""

    service: str
    operation: str
    purpose: Purpose

    @property
    def action(self) -> str:
        """The action that an IAM policy has to allow."""
        spelled = f"{IAM_PREFIX.get(self.service, self.service)}:{self.operation}"
        return ACTION_OF.get(spelled, spelled)


_CALLS: dict[Purpose, dict[str, str]] = {
    Purpose.RELEASE: {
        "sts": "GetCallerIdentity",
        "ecr": "BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload DescribeRepositories"
        " InitiateLayerUpload PutImage UploadLayerPart",
        "secretsmanager": "DescribeSecret ListSecrets",
        "eks": "DescribeCluster",
    },
    Purpose.PROVISION: {
        "ecr": "CreateRepository PutImageScanningConfiguration PutImageTagMutability",
        "secretsmanager": "CreateSecret PutSecretValue RestoreSecret UpdateSecretVersionStage",
    },
    Purpose.TEARDOWN: {
        "ecr": "DeleteRepository ListTagsForResource",
        "secretsmanager": "DeleteSecret",
        "ec2": "DeleteNetworkInterface DeleteSecurityGroup DescribeAddresses DescribeFlowLogs"
        " DescribeInstances DescribeInternetGateways DescribeLaunchTemplates DescribeNatGateways"
        " DescribeNetworkInterfaces DescribeRouteTables DescribeSecurityGroups DescribeSubnets"
        " DescribeVolumes DescribeVpcEndpoints DescribeVpcs RevokeSecurityGroupEgress"
        " RevokeSecurityGroupIngress",
        "elbv2": "DeleteLoadBalancer DeleteTargetGroup DescribeLoadBalancers DescribeTags"
        " DescribeTargetGroups",
        "elb": "DeleteLoadBalancer DescribeLoadBalancers DescribeTags",
        "eks": "ListClusters",
        "iam": "GetOpenIDConnectProvider ListOpenIDConnectProviders ListRoleTags ListRoles",
        "logs": "DescribeLogGroups ListTagsForResource",
        "kms": "DescribeKey ListKeys ListResourceTags",
        "resourcegroupstaggingapi": "GetResources",
    },
    Purpose.PREFLIGHT: {
        "iam": "GetRole SimulatePrincipalPolicy",
        "ec2": "DescribeRegions",
        "eks": "DescribeClusterVersions",
        "service-quotas": "GetAWSDefaultServiceQuota GetServiceQuota",
        "budgets": "DescribeBudgets",
    },
}


def _listed() -> Iterator[Call]:
    for purpose, services in _CALLS.items():
        for service, operations in services.items():
            yield from (Call(service, operation, purpose) for operation in operations.split())


CALLS = tuple(_listed())
"""Every call, each under the first purpose that needs it."""
