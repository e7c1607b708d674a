from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from tests.aws.layouts import make_layout

from rollbook.aws.cloud import AwsCloud
from rollbook.aws.registry import Registry, repository_name
from rollbook.errors import BadInputError, EnvironmentFailedError, NotFoundError

PAYLOAD = b"layer" * 1000


@pytest.mark.sandbox
def test_identity_says_that_it_is_emulated(cloud: AwsCloud) -> None:
    """The emulator's account is not passed off as AWS."""
    identity = cloud.identity()
    assert ("000000000000", "eu-central-1", True) == (identity.account, identity.region, identity.emulated)


@pytest.mark.sandbox
def test_components_answer(cloud: AwsCloud) -> None:
    """The three services that a release needs are healthy, and said to be emulated."""
    assert {"aws sts": True, "aws ecr": True, "aws secretsmanager": True} == {
        one.name: one.healthy and one.emulated for one in cloud.components()
    }


@pytest.mark.sandbox
def test_a_repository_is_made_once_and_deleted_once(cloud: AwsCloud) -> None:
    """Making it twice gives the same URI; deleting it twice tells that it was gone."""
    uri = cloud.ensure_repository("twice")
    assert uri == cloud.ensure_repository("twice")
    assert uri.endswith("/twice")
    assert [True, False] == [cloud.delete_repository("twice") for _ in range(2)]


@pytest.mark.sandbox
def test_a_pushed_image_keeps_its_digest(cloud: AwsCloud, tmp_path: Path) -> None:
    """The registry computes our digest; pushing again changes nothing."""
    uri = cloud.ensure_repository("hello")
    layout, image = make_layout(tmp_path, payload=PAYLOAD, tag="1.0.0")
    pushed = cloud.push(layout, image)
    assert replace(image, repository=uri) == pushed
    assert pushed == cloud.push(layout, pushed)
    assert image.digest == cloud.image_digest(uri, "1.0.0")
    assert cloud.has_digest("hello", image.digest)
    assert cloud.image_digest("hello", "9.9.9") is None
    assert not cloud.has_digest("nothing-here", image.digest)


@pytest.mark.sandbox
def test_a_tag_is_not_given_twice(cloud: AwsCloud, tmp_path: Path) -> None:
    """Another image under a taken tag is refused, and the old one stays."""
    cloud.ensure_repository("taken")
    layout, first = make_layout(tmp_path / "a", payload=PAYLOAD, tag="1.0.0")
    other_layout, second = make_layout(tmp_path / "b", payload=PAYLOAD + b"x", tag="1.0.0")
    cloud.push(layout, replace(first, repository="taken"))
    with pytest.raises(BadInputError, match="immutable"):
        cloud.push(other_layout, replace(second, repository="taken"))
    assert first.digest == cloud.image_digest("taken", "1.0.0")


@pytest.mark.sandbox
def test_a_push_to_no_repository(cloud: AwsCloud, tmp_path: Path) -> None:
    """A missing repository is named, with the phase that makes it."""
    layout, image = make_layout(tmp_path, payload=PAYLOAD, tag="1")
    with pytest.raises(NotFoundError, match="no ECR repository missing"):
        cloud.push(layout, replace(image, repository="missing"))


@pytest.mark.sandbox
def test_an_altered_layout_is_not_pushed(cloud: AwsCloud, tmp_path: Path) -> None:
    """A manifest that is not what its digest says is refused before anything is sent."""
    cloud.ensure_repository("altered")
    layout, image = make_layout(tmp_path, payload=PAYLOAD, tag="1")
    manifest = layout / "blobs" / "sha256" / image.digest.removeprefix("sha256:")
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(BadInputError, match="not what its digest says"):
        cloud.push(layout, replace(image, repository="altered"))


@pytest.mark.sandbox
def test_a_secret_is_made_once(cloud: AwsCloud) -> None:
    """Its first value is made only when it is missing."""
    made: list[str] = []

    def create() -> str:
        made.append("value")
        return "value"

    arn = cloud.ensure_secret("made/once", create)
    assert arn == cloud.ensure_secret("made/once", create)
    assert ["value"] == made
    assert [True, False] == [cloud.delete_secret("made/once") for _ in range(2)]


@pytest.mark.sandbox
def test_a_bad_name_is_the_users_fault(cloud: AwsCloud) -> None:
    """A repository name that ECR cannot have is bad input."""
    with pytest.raises(BadInputError, match="Invalid length"):
        cloud.ensure_repository("x")


def test_an_endpoint_that_is_down() -> None:
    """A refused connection says what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    cloud = AwsCloud.emulated(f"http://127.0.0.1:{port}")
    with pytest.raises(EnvironmentFailedError, match="Could not connect") as caught:
        cloud.identity()
    assert "sandbox status" in caught.value.next_step


def test_the_users_profile_does_not_reach_the_emulator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A broken AWS configuration of the user is not looked at."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path))
    component, *_ = AwsCloud.emulated("http://127.0.0.1:1").components()
    assert "Could not connect" in component.detail


def test_an_unknown_profile_is_bad_input() -> None:
    """A profile that is not configured is named."""
    with pytest.raises(BadInputError, match="nobody"):
        AwsCloud.real(profile="nobody", region="eu-central-1")


@pytest.mark.parametrize(
    ("code", "kind", "next_step"),
    [
        ("ExpiredTokenException", EnvironmentFailedError, "Sign in again"),
        ("UnrecognizedClientException", EnvironmentFailedError, "get-caller-identity"),
        ("AccessDeniedException", EnvironmentFailedError, "permission"),
        ("ThrottlingException", EnvironmentFailedError, "Wait a minute"),
        ("InvalidParameterException", BadInputError, "service file"),
        ("ServerException", EnvironmentFailedError, "documentation"),
    ],
)
def test_refusals_say_what_to_do(code: str, kind: type[Exception], next_step: str) -> None:
    """Each kind of refusal has its own next step, and its code is told."""
    client = boto3.client("ecr", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_client_error("describe_repositories", code, "no")
        with pytest.raises(kind, match=code) as caught:
            Registry(client, emulated=False).ensure("hello")
    assert next_step in caught.value.next_step  # type: ignore[attr-defined]  # both kinds are RollbookErrors


def test_a_real_registry_that_loses_a_layer_is_an_error(tmp_path: Path) -> None:
    """What the emulator may do, AWS may not."""
    layout, image = make_layout(tmp_path, payload=PAYLOAD, tag="1")
    client = boto3.client("ecr", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_response("describe_repositories", {"repositories": [{"repositoryUri": "1.dkr/hello"}]})
        stub.add_response("batch_get_image", {"images": []})
        stub.add_response("batch_check_layer_availability", {"layers": []})
        stub.add_response("initiate_layer_upload", {"uploadId": "u", "partSize": 20})
        stub.add_response("upload_layer_part", {})
        stub.add_response("upload_layer_part", {})
        stub.add_response("complete_layer_upload", {})
        stub.add_response("batch_check_layer_availability", {"layers": []})
        with pytest.raises(EnvironmentFailedError, match="after its upload"):
            Registry(client, emulated=False).push(layout, image)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("hello", "hello"),
        ("team/hello", "team/hello"),
        ("1.dkr.ecr.eu-central-1.amazonaws.com/team/hello", "team/hello"),
    ],
)
def test_repository_name(repository: str, name: str) -> None:
    """A URI is as good as a name."""
    assert name == repository_name(repository)


def known_repository(mutability: str, scan: bool) -> dict[str, list[dict[str, object]]]:
    """DescribeRepositories' answer for one repository."""
    found = {
        "repositoryName": "hello",
        "repositoryUri": "1.dkr.ecr.eu-central-1.amazonaws.com/hello",
        "imageTagMutability": mutability,
        "imageScanningConfiguration": {"scanOnPush": scan},
    }
    return {"repositories": [found]}


def test_a_repository_that_is_right_is_left_alone() -> None:
    """No call that changes it is made: a role that deploys may not."""
    client = boto3.client("ecr", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        stub.add_response("describe_repositories", known_repository("IMMUTABLE", True))
        uri = Registry(client, emulated=False).ensure("hello")
        stub.assert_no_pending_responses()
    assert "1.dkr.ecr.eu-central-1.amazonaws.com/hello" == uri


def test_a_repository_that_is_not_right_is_mended() -> None:
    """Tags become immutable, and images are scanned when they are pushed."""
    client = boto3.client("ecr", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        stub.add_response("describe_repositories", known_repository("MUTABLE", False))
        wanted = {"repositoryName": "hello"}
        stub.add_response("put_image_tag_mutability", {}, {**wanted, "imageTagMutability": "IMMUTABLE"})
        scan = {"imageScanningConfiguration": {"scanOnPush": True}}
        stub.add_response("put_image_scanning_configuration", {}, {**wanted, **scan})
        Registry(client, emulated=False).ensure("hello")
        stub.assert_no_pending_responses()
