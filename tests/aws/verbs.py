"""What rollbook does with AWS, each with what it needs and what takes it back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.aws.clock import HandClock
from tests.aws.layouts import make_layout
from tests.aws.not_emulated import NotEmulated

from rollbook.aws.clients import Clients
from rollbook.aws.cloud import AwsCloud
from rollbook.aws.eks import cluster_access
from rollbook.aws.inventory import SOURCES, existing
from rollbook.aws.leftovers import remove_leftovers
from rollbook.aws.sweep import sweep

REGION = "ca-west-1"
CLUSTER = "faulty"
TAG = [{"Key": "elbv2.k8s.aws/cluster", "Value": CLUSTER}]
TAGS = {"project": CLUSTER}


@dataclass(frozen=True)
class Scene:
    """What a verb acts on: a name of its own each time, so that runs do not meet."""

    clients: Clients
    direct: Clients
    folder: Path
    name: str
    missing: NotEmulated

    @property
    def cloud(self) -> AwsCloud:
        return AwsCloud(self.clients, HandClock())


@dataclass(frozen=True)
class Verb:
    """Something that rollbook does with AWS. `ready` makes what it needs; `undo` takes away what is there, as
    rollbook does where it can."""

    act: Callable[[Scene], object]
    ready: Callable[[Scene], object] = lambda _scene: None
    undo: Callable[[Scene], object] = lambda _scene: None
    many: bool = False
    """Makes so many calls that each meets only some of the troubles."""
    only: tuple[str, ...] = ()
    """Operations that meet troubles; all when empty. The others are those of other verbs."""


def repository(scene: Scene) -> None:
    scene.direct.of("ecr").create_repository(repositoryName=scene.name)


def no_repository(scene: Scene) -> None:
    AwsCloud(scene.direct, HandClock()).delete_repository(scene.name)


def secret(scene: Scene) -> None:
    scene.direct.of("secretsmanager").create_secret(Name=scene.name, SecretString="x")


def marked_secret(scene: Scene) -> None:
    secret(scene)
    scene.direct.of("secretsmanager").delete_secret(SecretId=scene.name)


def empty_secret(scene: Scene) -> None:
    """As Terraform makes it on AWS: MiniStack gives each secret a version, whose label is taken off here."""
    client = scene.direct.of("secretsmanager")
    version = client.create_secret(Name=scene.name)["VersionId"]
    client.update_secret_version_stage(
        SecretId=scene.name, VersionStage="AWSCURRENT", RemoveFromVersionId=version
    )


def no_secret(scene: Scene) -> None:
    AwsCloud(scene.direct, HandClock()).delete_secret(scene.name)


def push(scene: Scene) -> object:
    layout, image = make_layout(scene.folder, payload=scene.name.encode() * 50, tag="1")
    named = type(image)(scene.name, image.tag, image.digest, image.size_bytes)
    return scene.cloud.push(layout, named)


def cluster(scene: Scene) -> None:
    scene.direct.of("eks").create_cluster(
        name=scene.name, roleArn="arn:aws:iam::000000000000:role/x", resourcesVpcConfig={"subnetIds": []}
    )


def no_cluster(scene: Scene) -> None:
    eks = scene.direct.of("eks")
    with suppress(eks.exceptions.ResourceNotFoundException):
        eks.delete_cluster(name=scene.name)


def role(scene: Scene) -> None:
    scene.direct.of("iam").create_role(RoleName=f"{CLUSTER}-{scene.name}", AssumeRolePolicyDocument="{}")


def no_role(scene: Scene) -> None:
    scene.direct.of("iam").delete_role(RoleName=f"{CLUSTER}-{scene.name}")


def provider(scene: Scene) -> None:
    scene.direct.of("iam").create_open_id_connect_provider(Url=f"https://{scene.name}.example.org")


def no_provider(scene: Scene) -> None:
    iam = scene.direct.of("iam")
    for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        if scene.name in one["Arn"]:
            iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=one["Arn"])


def log_group(scene: Scene) -> None:
    scene.direct.of("logs").create_log_group(logGroupName=f"/{CLUSTER}/{scene.name}")


def no_log_group(scene: Scene) -> None:
    scene.direct.of("logs").delete_log_group(logGroupName=f"/{CLUSTER}/{scene.name}")


def key(scene: Scene) -> None:
    scene.direct.of("kms").create_key(Description=scene.name)


def no_key(scene: Scene) -> None:
    kms = scene.direct.of("kms")
    for one in kms.list_keys()["Keys"]:
        if kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"].get("Description") == scene.name:
            kms.schedule_key_deletion(KeyId=one["KeyId"])


LISTED: Mapping[str, tuple[Callable[[Scene], None], Callable[[Scene], None]]] = {
    "ecr_repository": (repository, no_repository),
    "eks_cluster": (cluster, no_cluster),
    "iam_role": (role, no_role),
    "iam_openid_connect_provider": (provider, no_provider),
    "cloudwatch_log_group": (log_group, no_log_group),
    "kms_key": (key, no_key),
}
"""Kinds of which each thing is asked something once more: one has to be there."""


def default_vpc(scene: Scene) -> str:
    vpcs = scene.direct.of("ec2").describe_vpcs()["Vpcs"]
    return str(next(one["VpcId"] for one in vpcs if one["IsDefault"]))


def controllers(scene: Scene) -> None:
    """What a load balancer controller leaves: one of each."""
    ec2, elbv2 = scene.direct.of("ec2"), scene.direct.of("elbv2")
    vpc = default_vpc(scene)
    scene.missing.classics, scene.missing.vpc, scene.missing.owner = {scene.name}, vpc, CLUSTER
    of_it = [{"Name": "vpc-id", "Values": [vpc]}]
    subnet = ec2.describe_subnets(Filters=of_it)["Subnets"][0]["SubnetId"]
    elbv2.create_load_balancer(Name=scene.name, Type="network", Subnets=[subnet], Tags=TAG)
    elbv2.create_target_group(Name=scene.name, Protocol="TCP", Port=80, VpcId=vpc, Tags=TAG)
    group = ec2.create_security_group(GroupName=scene.name, Description="x", VpcId=vpc)["GroupId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ec2.create_tags(Resources=[group, interface], Tags=TAG)
    other = ec2.create_security_group(GroupName=f"{scene.name}-n", Description="x", VpcId=vpc)["GroupId"]
    rule = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": group}]}]
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=rule)
    ec2.authorize_security_group_egress(GroupId=other, IpPermissions=rule)


def remove(clients: Clients, vpc: str) -> object:
    return remove_leftovers(clients, cluster=CLUSTER, vpc=vpc, clock=HandClock())


def no_controllers(scene: Scene) -> None:
    remove(scene.direct, default_vpc(scene))
    scene.missing.classics.clear()
    ec2 = scene.direct.of("ec2")
    for one in ec2.describe_security_groups()["SecurityGroups"]:
        if one["GroupName"].startswith(scene.name):
            ec2.delete_security_group(GroupId=one["GroupId"])


VERBS = {
    "identity": Verb(lambda scene: scene.cloud.identity()),
    "find a repository": Verb(lambda scene: scene.cloud.find_repository(scene.name)),
    "find an image": Verb(lambda scene: scene.cloud.image_digest(scene.name, "1"), repository, no_repository),
    "find a digest": Verb(
        lambda scene: scene.cloud.has_digest(scene.name, f"sha256:{'0' * 64}"), repository, no_repository
    ),
    "make a repository": Verb(lambda scene: scene.cloud.ensure_repository(scene.name), undo=no_repository),
    "mend a repository": Verb(
        lambda scene: scene.cloud.ensure_repository(scene.name), repository, no_repository
    ),
    "delete a repository": Verb(
        lambda scene: scene.cloud.delete_repository(scene.name), repository, no_repository
    ),
    "push": Verb(push, repository, no_repository),
    "make a secret": Verb(lambda scene: scene.cloud.ensure_secret(scene.name, lambda: "x"), undo=no_secret),
    "restore a secret": Verb(
        lambda scene: scene.cloud.ensure_secret(scene.name, lambda: "x"), marked_secret, no_secret
    ),
    "give a secret its first value": Verb(
        lambda scene: scene.cloud.ensure_secret(scene.name, lambda: "x"), empty_secret, no_secret
    ),
    "delete a secret": Verb(lambda scene: scene.cloud.delete_secret(scene.name), secret, no_secret),
    "reach a cluster": Verb(lambda scene: cluster_access(scene.clients, scene.name), cluster, no_cluster),
    "remove leftovers": Verb(
        lambda scene: remove(scene.clients, default_vpc(scene)), controllers, no_controllers, many=True
    ),
    "sweep": Verb(
        lambda scene: sweep(scene.clients, cluster=scene.name, tags=TAGS, clock=HandClock(), within_s=0),
        only=("GetResources",),
    ),
    **{
        f"list {source.kind}": Verb(
            lambda scene, source=source: existing(scene.clients, source, CLUSTER),  # type: ignore[misc]  # a default of the loop
            *LISTED.get(source.kind, ()),
        )
        for source in SOURCES
    },
}


def played(verb: Verb, scene: Scene) -> object:
    """The verb, from what it needs to what it leaves."""
    verb.ready(scene)
    try:
        return verb.act(scene)
    finally:
        verb.undo(scene)


def there(direct: Clients, services: Collection[str] = ()) -> set[str]:
    """Everything in the account, also secrets that wait for their end; or what these services have."""
    sources = [one for one in SOURCES if not services or one.service in services]
    found = {str(one) for source in sources for one in existing(direct, source, CLUSTER)}
    if not services or "secretsmanager" in services:
        listed = direct.of("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
        found |= {f"secretsmanager_secret {one['Name']}" for one in listed}
    return found
