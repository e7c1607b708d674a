"""What is looked at before a release into AWS, and what is said of it."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from tests.aws.clock import HandClock

import rollbook.aws
from rollbook.aws.actions import CALLS
from rollbook.aws.clients import Clients
from rollbook.aws.findings import Finding, State
from rollbook.aws.permissions import Names, permissions
from rollbook.aws.preflight import preflight
from rollbook.aws.quotas import Needs, quotas, version_support
from rollbook.commands import doctor_aws, findings
from rollbook.errors import BadInputError, ExitCode

NAMES = Names("hello", "hello/config", "rollbook")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def states(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {one.name: str(one.state) for one in findings}


@pytest.mark.sandbox
def test_what_the_emulator_does_not_have_is_not_checked(ministack: str) -> None:
    """It is never taken for well: quotas, versions and permissions of nobody are said to be unknown."""
    found = doctor_aws.diagnose(
        Clients.emulating(ministack), repository="hello", secret="hello/config", cluster="rollbook"
    )

    unknown = "not checked"
    assert {
        "region": "ok",
        "credentials": unknown,
        "clock": unknown,
        "identity": "ok",
        "region enabled": "ok",
        "endpoints": "ok",
        "permissions for release": unknown,
        "permissions for provision": unknown,
        "permissions for teardown": unknown,
        "permissions for preflight": unknown,
        "quota: VPCs": unknown,
        "quota: public addresses": unknown,
        "quota: EKS clusters": unknown,
        "quota: vCPUs of standard instances on demand": unknown,
        "EKS version 1.36": unknown,
        "budget": "warn",
        "owner and expiry": unknown,
    } == states(found)
    assert ExitCode.OK is findings.exit_code(found)
    assert f"emulated by {ministack}" in findings.told(found, as_json=False)
    assert "quota: VPCs: not checked: the emulator does not have this" in findings.told(found, as_json=False)
    assert {"ok", "checks"} == set(json.loads(findings.told(found, as_json=True)))


def policy(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.sandbox
def test_a_missing_permission_is_named(ministack: str) -> None:
    """One that a release needs fails, one that it can do without is a warning, by IAM's simulation."""
    admin = Clients.emulating(ministack)
    iam = admin.of("iam")
    iam.create_role(RoleName="narrow", AssumeRolePolicyDocument="{}")
    release = [one.action for one in CALLS if one.purpose == "release" and one.operation != "PutImage"]
    iam.put_role_policy(RoleName="narrow", PolicyName="x", PolicyDocument=policy(*release))
    arn = "arn:aws:sts::000000000000:assumed-role/narrow/me"
    before = permissions(admin, "000000000000", arn, NAMES)
    everything = [one.action for one in CALLS]
    iam.put_role_policy(RoleName="narrow", PolicyName="x", PolicyDocument=policy(*everything))
    after = permissions(admin, "000000000000", arn, NAMES)

    assert ["fail", "warn", "warn", "warn"] == [str(one.state) for one in before]
    assert "arn:aws:iam::000000000000:role/narrow may not: ecr:PutImage" == before[0].detail
    assert before[0].next_step
    assert ["ok"] * 4 == [str(one.state) for one in after]


def test_the_path_of_an_assumed_role_is_asked_for() -> None:
    """IAM simulates no role without it; and an action that it says nothing of is not taken for allowed."""
    clients, iam = stubbed("iam")
    arn = "arn:aws:iam::111122223333:role/teams/narrow"
    made = {"Path": "/teams/", "RoleName": "narrow", "RoleId": "AROAEXAMPLEEXAMPLE", "Arn": arn}
    iam.add_response("get_role", {"Role": {**made, "CreateDate": NOW}}, {"RoleName": "narrow"})
    asked = {"PolicySourceArn": arn, "ActionNames": ANY, "ResourceArns": ANY}
    for _ in range(20):
        iam.add_response("simulate_principal_policy", {"EvaluationResults": []}, asked)
    with iam, Stubber(clients.of("secretsmanager")):
        found = permissions(
            clients,
            "111122223333",
            "arn:aws:sts::111122223333:assumed-role/narrow/me",
            Names("hello", "", "rollbook"),
        )

    assert ["fail", "warn", "warn", "warn"] == [str(one.state) for one in found]
    assert all(one.detail.startswith(f"{arn} may not: ") for one in found)


def stubbed(service: str) -> tuple[Clients, Stubber]:
    clients = Clients(boto3.session.Session("a", "b", region_name="eu-central-1"))
    return clients, Stubber(clients.of(service))


@pytest.mark.parametrize(
    ("installed", "state"), [(False, State.FAIL), (True, State.OK)], ids=["nothing yet", "installed"]
)
def test_a_quota_without_room(installed: bool, state: State) -> None:
    """Five of five VPCs leave none for a new installation, and are enough for one that is there."""
    clients, limits = stubbed("service-quotas")
    ec2, eks = Stubber(clients.of("ec2")), Stubber(clients.of("eks"))
    limits.add_response("get_service_quota", {"Quota": {"Value": 5.0}})
    for _ in range(3):
        limits.add_client_error("get_service_quota", "NoSuchResourceException")
        limits.add_response("get_aws_default_service_quota", {"Quota": {"Value": 32.0}})
    ec2.add_response("describe_vpcs", {"Vpcs": [{}] * 5})
    ec2.add_response("describe_addresses", {"Addresses": []})
    eks.add_response("list_clusters", {"clusters": ["a"]})
    running = {
        "InstanceType": "m7i.large",
        "State": {"Name": "running"},
        "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
    }
    spot = {**running, "InstanceLifecycle": "spot"}
    ec2.add_response("describe_instances", {"Reservations": [{"Instances": [running, spot]}]})
    with limits, ec2, eks:
        vpcs, *others = quotas(clients, Needs(), installed=installed)

    assert state is vpcs.state
    assert vpcs.detail.startswith("5 allowed, 5 used")
    assert [State.OK] * 3 == [one.state for one in others]
    assert others[-1].detail.startswith("32 allowed, 2 used")


@pytest.mark.parametrize(
    ("status", "days", "state"),
    [
        ("STANDARD_SUPPORT", 200, State.OK),
        ("STANDARD_SUPPORT", 9, State.WARN),
        ("EXTENDED_SUPPORT", -10, State.WARN),
        ("UNSUPPORTED", -400, State.FAIL),
    ],
)
def test_the_support_of_a_version(status: str, days: int, state: State) -> None:
    """Its end is announced, its price is told, and what EKS no longer has fails."""
    clients, eks = stubbed("eks")
    ends = NOW + timedelta(days=days)
    version = {"clusterVersion": "1.36", "versionStatus": status, "endOfStandardSupportDate": ends}
    eks.add_response("describe_cluster_versions", {"clusterVersions": [version]})
    with eks:
        found = version_support(clients, "1.36", NOW)

    assert state is found.state
    assert (state is State.OK) == (found.next_step == "")


def test_what_may_not_be_asked_is_not_checked() -> None:
    """A denial of the question is neither well nor a fault of the account."""
    clients, eks = stubbed("eks")
    eks.add_client_error("describe_cluster_versions", "AccessDeniedException", "no")
    with eks:
        found = version_support(clients, "1.36", NOW)

    assert (State.NOT_CHECKED, True) == (found.state, "no permission to ask" in found.detail)


@pytest.mark.parametrize(
    ("region", "step"),
    [("eu-centrall-1", "Did you mean eu-central-1?"), (None, "Give --region, or set AWS_REGION.")],
)
def test_a_region_that_is_none(monkeypatch: pytest.MonkeyPatch, region: str | None, step: str) -> None:
    """It is told with what was meant, and nothing else is asked."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    clients = Clients(boto3.session.Session("a", "b", region_name=region))
    first, *_, last = preflight(clients, names=NAMES, clock=HandClock(), kubernetes_version="1.36")

    assert (State.FAIL, step) == (first.state, first.next_step)
    assert (State.NOT_CHECKED, "everything else") == (last.state, last.name)


@pytest.mark.parametrize(
    ("off", "state"), [(1, State.OK), (100, State.WARN), (400, State.FAIL)], ids=["right", "off", "wrong"]
)
def test_a_clock_that_is_wrong_and_credentials_that_ended(off: int, state: State) -> None:
    """A refusal tells the time as well; the identity fails with what to do, and the rest is not asked."""
    clients, sts = stubbed("sts")
    clock = HandClock()
    date = (clock.now() + timedelta(seconds=off)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    meta: dict[str, Any] = {"HTTPHeaders": {"date": date}}
    sts.add_client_error("get_caller_identity", "ExpiredToken", "over", 403, response_meta=meta)
    with sts:
        found = preflight(clients, names=NAMES, clock=clock, kubernetes_version="1.36")
    by_name = {one.name: one for one in found}

    assert state is by_name["clock"].state
    assert State.FAIL is by_name["identity"].state
    assert "Sign in again" in by_name["identity"].next_step
    assert State.WARN is by_name["credentials"].state
    assert ExitCode.ENVIRONMENT_FAILED is findings.exit_code(found)


def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the user's input, before anything is asked."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(BadInputError, match="nobody"):
        Clients.real(region="eu-central-1")


def test_the_list_of_calls_is_what_the_code_calls() -> None:
    """Each operation in the code is in the list, and none is in the list that the code does not call."""
    session = boto3.session.Session("a", "b", region_name="eu-central-1")
    spelled = {
        method: operation
        for service in {one.service for one in CALLS}
        for method, operation in session.client(service).meta.method_to_api_mapping.items()  # type: ignore[call-overload]  # any service
    }
    used: set[str] = set()
    for path in Path(rollbook.aws.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in spelled:
                used.add(spelled[node.attr])
            elif isinstance(node, ast.Constant) and node.value in spelled:
                used.add(spelled[str(node.value)])

    assert used == {one.operation for one in CALLS}
