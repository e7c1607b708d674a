"""Every call that rollbook makes of AWS, over HTTP, on AWS' bad days."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from botocore.retries.standard import ExponentialBackoff
from tests.aws.clock import HandClock
from tests.aws.conftest import make_layout
from tests.aws.faults import Faults, Refusal, faults_before
from tests.proxy import Cut, Lost

from rollbook.aws.clients import Clients
from rollbook.aws.cloud import AwsCloud
from rollbook.aws.eks import cluster_access
from rollbook.aws.inventory import SOURCES, existing
from rollbook.aws.leftovers import remove_leftovers
from rollbook.errors import EnvironmentFailedError, ExitCode, RollbookError

pytestmark = pytest.mark.sandbox

REGION = "ca-west-1"
CLUSTER = "faulty"
TAG = [{"Key": "elbv2.k8s.aws/cluster", "Value": CLUSTER}]
Trouble = TypeVar("Trouble")
NUMBERS = itertools.count(1)

THROTTLED = Refusal("ThrottlingException", "Rate exceeded")
EXPIRED = Refusal("ExpiredTokenException", "The security token included in the request is expired")
DENIED = Refusal("AccessDeniedException", "User is not authorized to perform this")
ELSEWHERE = Refusal("UnrecognizedClientException", "The security token is invalid", 403)
BUSY = Refusal("ServiceUnavailable", "busy", 503)

STAY = {
    "throttled without end": (THROTTLED, "ThrottlingException", "Wait a minute"),
    "expired credentials": (EXPIRED, "ExpiredTokenException", "Sign in again"),
    "access denied": (DENIED, "AccessDeniedException", "permission"),
    "a region that is not enabled": (ELSEWHERE, "UnrecognizedClientException", "get-caller-identity"),
    "no connection": (Cut(), "Connection", "Check the network"),
}
"""What does not pass: fault, what the error names, and what it says to do."""
PASS = {
    "throttled twice": (THROTTLED, 2),
    "busy twice": (BUSY, 2),
    "cut once": (Cut(), 1),
    "an answer lost": (Lost(), 1),
}


@pytest.fixture(scope="module")
def faults(ministack: str) -> Iterator[Faults]:
    with faults_before(ministack) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def direct(ministack: str) -> Clients:
    """The same account, past the proxy."""
    return Clients.emulating(ministack, region=REGION)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own pauses are not what is tested."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.0)


@dataclass(frozen=True)
class Scene:
    """What a verb acts on: a name of its own each time, so that runs do not meet."""

    clients: Clients
    direct: Clients
    folder: Path
    name: str

    @property
    def cloud(self) -> AwsCloud:
        return AwsCloud(self.clients, HandClock())


@dataclass(frozen=True)
class Verb:
    """Something that rollbook does with AWS. `ready` makes what it needs; `undo` takes away what is there."""

    act: Callable[[Scene], object]
    ready: Callable[[Scene], object] = lambda _scene: None
    undo: Callable[[Scene], object] = lambda _scene: None
    many: bool = False
    """Makes so many calls that each meets only some of the troubles."""


def repository(scene: Scene) -> None:
    scene.direct.of("ecr").create_repository(repositoryName=scene.name)


def no_repository(scene: Scene) -> None:
    ecr = scene.direct.of("ecr")
    with suppress(ecr.exceptions.RepositoryNotFoundException):
        ecr.delete_repository(repositoryName=scene.name, force=True)


def secret(scene: Scene) -> None:
    scene.direct.of("secretsmanager").create_secret(Name=scene.name, SecretString="x")


def marked_secret(scene: Scene) -> None:
    secret(scene)
    scene.direct.of("secretsmanager").delete_secret(SecretId=scene.name)


def no_secret(scene: Scene) -> None:
    client = scene.direct.of("secretsmanager")
    with suppress(client.exceptions.ResourceNotFoundException):
        client.delete_secret(SecretId=scene.name, ForceDeleteWithoutRecovery=True)


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


def default_vpc(scene: Scene) -> str:
    vpcs = scene.direct.of("ec2").describe_vpcs()["Vpcs"]
    return str(next(one["VpcId"] for one in vpcs if one["IsDefault"]))


def controllers(scene: Scene) -> None:
    """What a load balancer controller leaves: one of each."""
    ec2, elbv2 = scene.direct.of("ec2"), scene.direct.of("elbv2")
    vpc = default_vpc(scene)
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
    ec2 = scene.direct.of("ec2")
    for one in ec2.describe_security_groups()["SecurityGroups"]:
        if one["GroupName"].startswith(scene.name):
            ec2.delete_security_group(GroupId=one["GroupId"])


VERBS = {
    "identity": Verb(lambda scene: scene.cloud.identity()),
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
    "delete a secret": Verb(lambda scene: scene.cloud.delete_secret(scene.name), secret, no_secret),
    "reach a cluster": Verb(lambda scene: cluster_access(scene.clients, scene.name), cluster, no_cluster),
    "remove leftovers": Verb(
        lambda scene: remove(scene.clients, default_vpc(scene)), controllers, no_controllers, many=True
    ),
    **{
        f"list {source.kind}": Verb(lambda scene, source=source: existing(scene.clients, source, CLUSTER))  # type: ignore[misc]  # a default of the loop
        for source in SOURCES
    },
}


@pytest.fixture(params=VERBS, scope="module")
def verb(request: pytest.FixtureRequest) -> Verb:
    return VERBS[request.param]


@pytest.fixture
def scenes(faults: Faults, direct: Clients, tmp_path: Path) -> Callable[[], Scene]:
    clients = Clients.emulating(faults.url, region=REGION)

    def make() -> Scene:
        number = next(NUMBERS)
        return Scene(clients, direct, tmp_path / str(number), f"faulty{number}")

    faults.clear()
    return make


def played(verb: Verb, scene: Scene) -> object:
    """The verb, from what it needs to what it leaves."""
    verb.ready(scene)
    try:
        return verb.act(scene)
    finally:
        verb.undo(scene)


def chosen(table: dict[str, Trouble], verb: Verb, number: int) -> dict[str, Trouble]:
    """All of the troubles; of a verb with many calls two for each call, in turn, and always a lost answer."""
    names = list(table)
    if verb.many:
        kept = {names[number % len(names)], names[(number + 1) % len(names)], "an answer lost"}
        names = [name for name in names if name in kept]
    return {name: table[name] for name in names}


def operations(verb: Verb, faults: Faults, scene: Scene) -> list[str]:
    faults.clear()
    played(verb, scene)
    return sorted({one.operation for one in faults.seen})


def test_trouble_that_stays_is_told(verb: Verb, faults: Faults, scenes: Callable[[], Scene]) -> None:
    """Whichever call of a verb it meets: exit code 4, what AWS said, and what to do; afterwards it works."""
    for number, operation in enumerate(operations(verb, faults, scenes())):
        for trouble, (fault, why, next_step) in chosen(STAY, verb, number).items():
            faults.put(operation, fault)
            with pytest.raises(RollbookError) as caught:
                played(verb, scenes())
            told = (operation, trouble, str(caught.value))
            assert isinstance(caught.value, EnvironmentFailedError), told
            assert ExitCode.ENVIRONMENT_FAILED == caught.value.exit_code, told
            assert why in caught.value.why, told
            assert next_step in caught.value.next_step, told
    faults.clear()
    played(verb, scenes())


def test_trouble_that_passes_is_sat_out(verb: Verb, faults: Faults, scenes: Callable[[], Scene]) -> None:
    """A call that is throttled, or cut, or whose answer is lost is made again, and nothing is made twice."""
    for number, operation in enumerate(operations(verb, faults, scenes())):
        for fault, times in chosen(PASS, verb, number).values():
            faults.put(operation, fault, times)
            played(verb, scenes())
            assert times == sum(one.refused for one in faults.seen)


UNSEEN = {
    "repository": (VERBS["make a repository"], "DescribeRepositories", "RepositoryNotFoundException"),
    "secret": (VERBS["make a secret"], "DescribeSecret", "ResourceNotFoundException"),
}


@pytest.mark.parametrize("kind", UNSEEN)
def test_what_was_made_and_is_not_seen_yet_is_waited_for(
    kind: str, faults: Faults, scenes: Callable[[], Scene]
) -> None:
    """A few answers that it is not there are sat out; without end is told, and found by the next run."""
    verb, operation, code = UNSEEN[kind]
    faults.put(operation, Refusal(code), 4)
    played(verb, scenes())
    assert 4 == sum(one.refused for one in faults.seen)

    scene = scenes()
    faults.put(operation, Refusal(code))
    with pytest.raises(EnvironmentFailedError, match="cannot be seen after 20 s"):
        verb.act(scene)
    faults.clear()
    verb.act(scene)
    assert {"CreateRepository", "CreateSecret"}.isdisjoint(one.operation for one in faults.seen)
    verb.undo(scene)
