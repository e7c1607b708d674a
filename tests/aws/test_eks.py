"""Access to an EKS cluster: where it is, and tokens that say who asks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.request
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

import boto3
import pytest
from botocore.stub import Stubber
from tests.aws.clock import HandClock

from rollbook.aws.clients import Clients
from rollbook.aws.eks import EksTokens, cluster_access
from rollbook.errors import EnvironmentFailedError, NotFoundError

KEY_ID, KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def clients_of(session_token: str | None = None, region: str = "eu-central-1") -> Clients:
    return Clients(boto3.session.Session(KEY_ID, KEY, session_token, region_name=region))


def url_of(token: str) -> str:
    """The presigned URL in a token."""
    prefix, _, encoded = token.partition(".")
    assert "k8s-aws-v1" == prefix
    assert "=" not in encoded
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def signature(url: str, cluster: str, region: str) -> str:
    """Signature Version 4 of a query, step by step as AWS' reference describes it."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.pop("X-Amz-Signature")
    canonical_query = "&".join(f"{quote(key, safe='')}={quote(query[key], safe='')}" for key in sorted(query))
    headers = f"host:{parts.netloc}\nx-k8s-aws-id:{cluster}\n"
    nothing = hashlib.sha256(b"").hexdigest()
    request = "\n".join(("GET", "/", canonical_query, headers, "host;x-k8s-aws-id", nothing))
    date = query["X-Amz-Date"]
    scope = f"{date[:8]}/{region}/sts/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", date, scope, digest))
    key = f"AWS4{KEY}".encode()
    for step in (date[:8], region, "sts", "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("session_token", [None, "FwoGZXIvYXdz/with+odd=characters=="])
@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1"])
def test_a_token_is_a_presigned_question_for_ones_own_name(session_token: str | None, region: str) -> None:
    """Regional STS, a minute, the cluster's name signed, and the signature that the algorithm asks for."""
    url = url_of(EksTokens(clients_of(session_token, region), "rollbook", HandClock()).token())
    query = dict(parse_qsl(urlsplit(url).query))

    assert f"https://sts.{region}.amazonaws.com/" == url.partition("?")[0]
    assert ("GetCallerIdentity", "2011-06-15") == (query["Action"], query["Version"])
    assert ("60", "host;x-k8s-aws-id") == (query["X-Amz-Expires"], query["X-Amz-SignedHeaders"])
    assert session_token == query.get("X-Amz-Security-Token")
    assert signature(url, "rollbook", region) == query["X-Amz-Signature"]
    assert signature(url, "another", region) != query["X-Amz-Signature"]


def test_a_token_is_made_anew_before_it_expires() -> None:
    """It is kept for fourteen minutes of the clock that was given, and then another one is signed."""
    clock = HandClock()
    tokens = EksTokens(clients_of(), "rollbook", clock)
    clients = tokens._clients
    signed: list[str] = []
    clients.session.events.register("choose-signer", lambda **_: signed.append("once"))
    first = tokens.token()
    clock.sleep(13 * 60 + 59)
    assert (first, 1) == (tokens.token(), len(signed))
    clock.sleep(1)
    tokens.token()
    assert 2 == len(signed)
    tokens.renew()
    assert 3 == len(signed)


def test_a_token_needs_no_network_and_no_endpoint_of_the_emulator() -> None:
    """It is signed for AWS' own STS also where calls go elsewhere: the authenticator accepts no other."""
    clients = Clients.emulating("http://127.0.0.1:1", region="eu-west-1")
    url = url_of(EksTokens(clients, "rollbook", HandClock()).token())
    assert "sts.eu-west-1.amazonaws.com" == urlsplit(url).netloc


def test_the_configured_endpoint_does_not_get_into_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_ENDPOINT_URL of the environment would make a token that no cluster takes."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    url = url_of(EksTokens(clients_of(), "rollbook", HandClock()).token())
    assert "sts.eu-central-1.amazonaws.com" == urlsplit(url).netloc


def test_without_credentials_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to sign in with."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    clients = Clients(boto3.session.Session(region_name="eu-central-1"))
    with pytest.raises(EnvironmentFailedError, match="credentials") as caught:
        EksTokens(clients, "rollbook", HandClock()).token()
    assert "Sign in" in caught.value.next_step


@pytest.mark.sandbox
def test_the_emulators_sts_knows_who_signed(ministack: str) -> None:
    """The request in the token, sent as the authenticator sends it, is answered with the signer's name."""
    iam = Clients.emulating(ministack).of("iam")
    iam.create_user(UserName="signer")
    key = iam.create_access_key(UserName="signer")["AccessKey"]
    session = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    url = url_of(EksTokens(Clients(session), "rollbook", HandClock()).token())
    parts = urlsplit(url)
    asked = urllib.request.Request(  # noqa: S310  # an http URL of the fixture
        f"{ministack}/?{parts.query}", headers={"Host": parts.netloc, "x-k8s-aws-id": "rollbook"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
        told = ET.fromstring(answer.read())  # noqa: S314  # the emulator's own answer
    arns = [one.text for one in told.iter() if one.tag.endswith("Arn")]

    assert ["arn:aws:iam::000000000000:user/signer"] == arns


def stubbed(status: str, **more: object) -> tuple[Clients, Stubber]:
    clients = clients_of()
    stub = Stubber(clients.of("eks"))
    made = {
        "name": "rollbook",
        "arn": "arn:aws:eks:eu-central-1:111122223333:cluster/rollbook",
        "version": "1.36",
        "status": status,
        "createdAt": datetime(2026, 11, 23, tzinfo=UTC),
        "resourcesVpcConfig": {"vpcId": "vpc-1"},
    }
    stub.add_response("describe_cluster", {"cluster": {**made, **more}}, {"name": "rollbook"})
    return clients, stub


def test_a_cluster_that_is_active() -> None:
    """Endpoint, authority as PEM, version and VPC are told."""
    authority = {"data": base64.b64encode(PEM.encode()).decode()}
    clients, stub = stubbed(
        "ACTIVE", endpoint="https://ABC.eks.amazonaws.com", certificateAuthority=authority
    )
    with stub:
        access = cluster_access(clients, "rollbook")
    assert ("https://ABC.eks.amazonaws.com", PEM, "1.36", "vpc-1", False) == (
        access.endpoint,
        access.certificate_authority,
        access.version,
        access.vpc,
        access.emulated,
    )


@pytest.mark.parametrize(
    ("status", "next_step"), [("CREATING", "Wait"), ("DELETING", "gone"), ("FAILED", "teardown")]
)
def test_a_half_made_cluster_says_how_far_it_is(status: str, next_step: str) -> None:
    """Each state that cannot be used has its own next step, and EKS' own words are told."""
    issues = {"issues": [{"code": "Ec2SubnetNotFound", "message": "subnet-1 is gone", "resourceIds": []}]}
    clients, stub = stubbed(status, health=issues)
    with stub, pytest.raises(EnvironmentFailedError, match=status) as caught:
        cluster_access(clients, "rollbook")
    assert "subnet-1 is gone" in caught.value.why
    assert next_step in caught.value.next_step


def test_an_authority_that_is_cut() -> None:
    """It is told here, and not as a TLS error later."""
    clients, stub = stubbed("ACTIVE", endpoint="https://x", certificateAuthority={"data": "no*base64"})
    with stub, pytest.raises(EnvironmentFailedError, match="cannot be read"):
        cluster_access(clients, "rollbook")


@pytest.mark.sandbox
def test_a_cluster_of_the_emulator(ministack: str) -> None:
    """One that is there is found in its region only."""
    clients = Clients.emulating(ministack)
    vpc = {"subnetIds": ["subnet-1", "subnet-2"]}
    clients.of("eks").create_cluster(
        name="found", version="1.36", roleArn="arn:aws:iam::000000000000:role/x", resourcesVpcConfig=vpc
    )
    access = cluster_access(clients, "found")
    assert ("found", "1.36", True) == (access.name, access.version, access.emulated)
    with pytest.raises(NotFoundError, match="no EKS cluster found in eu-west-1"):
        cluster_access(Clients.emulating(ministack, region="eu-west-1"), "found")
    clients.of("eks").delete_cluster(name="found")
