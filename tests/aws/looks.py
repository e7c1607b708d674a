"""What the preflight looks at, each as the findings that it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.aws.clock import HandClock
from tests.aws.verbs import Scene, cluster, no_cluster

from rollbook.aws.findings import Finding
from rollbook.aws.permissions import Names, permissions
from rollbook.aws.preflight import preflight
from rollbook.aws.quotas import Needs, quotas, version_support

ACCOUNT = "000000000000"
VERSION = "1.36"


def names(scene: Scene) -> Names:
    return Names(scene.name, scene.name, scene.name)


def of_a_role(scene: Scene) -> tuple[Finding, ...]:
    """Permissions of a role, which is there while it is asked."""
    iam = scene.direct.of("iam")
    iam.create_role(RoleName=scene.name, AssumeRolePolicyDocument="{}")
    try:
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{scene.name}/me"
        return permissions(scene.clients, ACCOUNT, arn, names(scene))
    finally:
        iam.delete_role(RoleName=scene.name)


def of_an_installation(scene: Scene) -> tuple[Finding, ...]:
    """Everything that is looked at, with a cluster that is there."""
    cluster(scene)
    try:
        return preflight(scene.clients, names=names(scene), clock=HandClock(), kubernetes_version=VERSION)
    finally:
        no_cluster(scene)


def of_quotas(scene: Scene) -> tuple[Finding, ...]:
    return quotas(scene.clients, Needs(), installed=False)


def of_a_version(scene: Scene) -> tuple[Finding, ...]:
    return (version_support(scene.clients, VERSION, HandClock().now()),)


LOOKS: Mapping[str, Callable[[Scene], tuple[Finding, ...]]] = {
    "permissions": of_a_role,
    "quotas": of_quotas,
    "version": of_a_version,
    "preflight": of_an_installation,
}
TOLD: Mapping[str, tuple[str, ...]] = {
    "permissions": ("GetRole", "SimulatePrincipalPolicy"),
    "quotas": ("GetServiceQuota", "GetAWSDefaultServiceQuota"),
    "version": ("DescribeClusterVersions",),
    "preflight": ("GetCallerIdentity", "DescribeRegions", "DescribeBudgets"),
}
"""Operations that nothing else calls, and without whose answer something cannot be said."""
