"""Every call that rollbook makes of AWS, over HTTP, on AWS' bad days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest
from tests.aws.faults import Faults, Refusal, Told
from tests.aws.looks import LOOKS
from tests.aws.troubles import PASS, STAY, chosen
from tests.aws.verbs import (
    VERBS,
    Scene,
    Verb,
    cluster,
    empty_secret,
    no_cluster,
    no_repository,
    no_secret,
    played,
    push,
    repository,
    secret,
    there,
)

from rollbook.aws.actions import CALLS
from rollbook.aws.clients import Clients
from rollbook.aws.eks import cluster_access
from rollbook.errors import EnvironmentFailedError, ExitCode, NotFoundError, RollbookError

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("quick")]


@pytest.fixture(params=VERBS)
def verb(request: pytest.FixtureRequest) -> Verb:
    return VERBS[request.param]


@dataclass(frozen=True)
class Rehearsal:
    """A verb on a good day: operations that it calls, services that it asks, and what is there afterwards."""

    operations: list[str]
    services: set[str]
    there: set[str]


@pytest.fixture(scope="module")
def known() -> dict[int, Rehearsal]:
    """Rehearsals by verb: one is enough for all tests of it."""
    return {}


def rehearsed(verb: Verb, faults: Faults, scene: Scene, known: dict[int, Rehearsal]) -> Rehearsal:
    """Play the verb once without trouble; it leaves what was there before."""
    faults.clear()
    if id(verb) not in known:
        known[id(verb)] = _rehearsed(verb, faults, scene)
    return known[id(verb)]


def _rehearsed(verb: Verb, faults: Faults, scene: Scene) -> Rehearsal:
    before = there(scene.direct)
    played(verb, scene)
    services = {one.service for one in faults.seen}
    operations = sorted({one.operation for one in faults.seen if not verb.only or one.operation in verb.only})
    assert before == there(scene.direct)
    return Rehearsal(operations, services, there(scene.direct, services))


def test_trouble_that_stays_is_told(
    verb: Verb, faults: Faults, scenes: Callable[[], Scene], known: dict[int, Rehearsal]
) -> None:
    """Whichever call of a verb it meets: exit code 4, what AWS said, and what to do; nothing is left, and
    afterwards it works."""
    found = rehearsed(verb, faults, scenes(), known)
    for number, operation in enumerate(found.operations):
        for trouble, (fault, why, next_step) in chosen(STAY, verb, number).items():
            faults.put(operation, fault)
            scene = scenes()
            with pytest.raises(RollbookError) as caught:
                played(verb, scene)
            told = (operation, trouble, str(caught.value))
            assert isinstance(caught.value, EnvironmentFailedError), told
            assert ExitCode.ENVIRONMENT_FAILED == caught.value.exit_code, told
            assert why in caught.value.why, told
            assert next_step in caught.value.next_step, told
            assert found.there == there(scene.direct, found.services), told
    faults.clear()
    played(verb, scenes())


def test_trouble_that_passes_is_sat_out(
    verb: Verb, faults: Faults, scenes: Callable[[], Scene], known: dict[int, Rehearsal]
) -> None:
    """A call that is throttled, or cut, or whose answer is lost is made again; nothing is left of it."""
    found = rehearsed(verb, faults, scenes(), known)
    for number, operation in enumerate(found.operations):
        for trouble, (fault, times) in chosen(PASS, verb, number).items():
            faults.put(operation, fault, times)
            scene = scenes()
            played(verb, scene)
            assert times == sum(one.refused for one in faults.seen)
            assert found.there == there(scene.direct, found.services), (operation, trouble)


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


@pytest.mark.parametrize(
    ("status", "next_step"), [("CREATING", "Wait"), ("DELETING", "gone"), ("FAILED", "teardown")]
)
def test_a_half_made_cluster_is_not_used(
    status: str, next_step: str, faults: Faults, scenes: Callable[[], Scene]
) -> None:
    """It is told how far it is, with exit code 4, and nothing is changed."""
    scene = scenes()
    before = there(scene.direct)
    faults.put("DescribeCluster", Told({"cluster": {"name": scene.name, "status": status}}))
    with pytest.raises(EnvironmentFailedError, match=status) as caught:
        cluster_access(scene.clients, scene.name)

    assert ExitCode.ENVIRONMENT_FAILED == caught.value.exit_code
    assert next_step in caught.value.next_step
    assert before == there(scene.direct)


def test_another_region_has_nothing_and_gets_nothing(ministack: str, scenes: Callable[[], Scene]) -> None:
    """What is in one region is not there in another: that is told, with exit code 4, and nothing is made."""
    scene = scenes()
    repository(scene)
    cluster(scene)
    elsewhere = Clients.emulating(ministack, region="eu-south-2")
    before = there(elsewhere)
    try:
        with pytest.raises(NotFoundError, match=f"no EKS cluster {scene.name} in eu-south-2") as of_eks:
            cluster_access(elsewhere, scene.name)
        with pytest.raises(NotFoundError, match=f"no ECR repository {scene.name}") as of_ecr:
            push(replace(scene, clients=elsewhere))
    finally:
        no_cluster(scene)
        no_repository(scene)

    codes = {of_eks.value.exit_code, of_ecr.value.exit_code}
    assert ({ExitCode.ENVIRONMENT_FAILED}, before) == (codes, there(elsewhere))


def test_a_value_is_not_replaced_by_a_first_one(faults: Faults, scenes: Callable[[], Scene]) -> None:
    """A server that has not heard of the value yet, or somebody who was faster: the value stays current."""
    scene = scenes()
    secret(scene)
    client = scene.direct.of("secretsmanager")
    arn = client.describe_secret(SecretId=scene.name)["ARN"]
    faults.put("DescribeSecret", Told({"ARN": arn, "Name": scene.name}), 1)
    scene.cloud.ensure_secret(scene.name, lambda: "another")
    value = client.get_secret_value(SecretId=scene.name)["SecretString"]
    no_secret(scene)

    assert ("x", 1) == (value, sum(one.operation == "PutSecretValue" for one in faults.seen))
    assert 0 == sum(one.operation == "UpdateSecretVersionStage" for one in faults.seen)


def test_a_secret_without_a_value_gets_one_once(faults: Faults, scenes: Callable[[], Scene]) -> None:
    """As Terraform leaves it: the first value becomes the current one, and stays when asked again."""
    scene = scenes()
    empty_secret(scene)
    arns = {
        scene.cloud.ensure_secret(scene.name, lambda number=number: f"value {number}") for number in (1, 2)
    }  # type: ignore[misc]  # a default of the loop
    value = scene.direct.of("secretsmanager").get_secret_value(SecretId=scene.name)["SecretString"]
    no_secret(scene)

    assert (1, "value 1") == (len(arns), value)
    assert 1 == sum(one.operation == "PutSecretValue" for one in faults.seen)
    assert 0 == sum(one.operation == "CreateSecret" for one in faults.seen)


@pytest.mark.parametrize("trouble", STAY)
def test_a_service_that_refuses_is_a_component_that_is_not_healthy(
    trouble: str, faults: Faults, scenes: Callable[[], Scene]
) -> None:
    """Provision is told which service it is and what AWS said; the other two are healthy."""
    fault, why, _ = STAY[trouble]
    of = {
        "GetCallerIdentity": "aws sts",
        "DescribeRepositories": "aws ecr",
        "ListSecrets": "aws secretsmanager",
    }
    for operation, name in of.items():
        faults.put(operation, fault)
        sick = [one for one in scenes().cloud.components() if not one.healthy]
        assert [(name, True)] == [(one.name, why in one.detail) for one in sick]


def test_every_operation_is_played(faults: Faults, scenes: Callable[[], Scene]) -> None:
    """Each of the operations in the list of all that rollbook calls is one of these verbs' or checks'."""
    seen: set[tuple[str, str]] = set()
    for play in (*(partial(played, verb) for verb in VERBS.values()), *LOOKS.values()):
        scene = scenes()
        faults.clear()
        play(scene)
        seen |= {(one.service, one.operation) for one in faults.seen}

    assert {(one.service, one.operation) for one in CALLS} == seen
