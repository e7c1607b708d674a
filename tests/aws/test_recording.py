"""What is kept of calls of AWS."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber
from tests.evidence.kept import Kept

from rollbook.aws.cloud import AwsCloud
from rollbook.aws.recording import Recording
from rollbook.errors import EnvironmentFailedError

SECRET = "hunter2-hunter2"


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def session(kept: Kept) -> boto3.session.Session:
    session = boto3.session.Session("a", "b", region_name="eu-central-1")
    Recording(kept, "http://127.0.0.1:1").on(session.events)
    return session


def test_a_call_is_kept_with_its_parameters(session: boto3.session.Session, kept: Kept) -> None:
    """Service and operation as AWS spells them, where it went, the answer without the SDK's own metadata."""
    client = session.client("ecr")
    answer = {"repositories": [{"repositoryName": "hello"}]}
    with Stubber(client) as stub:
        stub.add_response("describe_repositories", answer, {"repositoryNames": ["hello"]})
        client.describe_repositories(repositoryNames=["hello"])

    parameters = {"repositoryNames": ["hello"], "endpoint_url": "http://127.0.0.1:1"}
    assert [("ecr:DescribeRepositories", parameters, "200", answer)] == kept.all
    assert (["aws:ecr"], [False]) == (kept.systems, kept.always)


def test_an_error_is_kept_by_its_code(session: boto3.session.Session, kept: Kept) -> None:
    """The status is AWS' own code, the answer its message."""
    client = session.client("ecr")
    stub = Stubber(client)
    stub.add_client_error("describe_repositories", "RepositoryNotFoundException", "not there", 400)
    with stub, pytest.raises(client.exceptions.ClientError):
        client.describe_repositories(repositoryNames=["hello"])

    assert ("RepositoryNotFoundException", "not there") == (kept.all[0][2], kept.all[0][3]["Message"])


def test_what_the_models_call_sensitive_is_never_kept(session: boto3.session.Session, kept: Kept) -> None:
    """Neither the value of a secret on its way there nor on its way back."""
    client = session.client("secretsmanager")
    with Stubber(client) as stub:
        stub.add_response("create_secret", {"Name": "hello"})
        stub.add_response("get_secret_value", {"Name": "hello", "SecretString": SECRET})
        client.create_secret(Name="hello", SecretString=SECRET)
        client.get_secret_value(SecretId="hello")

    assert SECRET not in str(kept.all)
    assert "[secret SecretString]" == kept.all[0][1]["SecretString"] == kept.all[1][3]["SecretString"]
    assert [True, False] == kept.always


def test_of_bytes_the_digest_is_kept(session: boto3.session.Session, kept: Kept) -> None:
    """A layer of an image is not copied into the record."""
    client = session.client("ecr")
    with Stubber(client) as stub:
        stub.add_response("upload_layer_part", {})
        client.upload_layer_part(
            repositoryName="hello", uploadId="1", partFirstByte=0, partLastByte=4, layerPartBlob=b"layer"
        )

    assert 5 == kept.all[0][1]["layerPartBlob"]["bytes"]


def test_no_answer_is_kept(kept: Kept) -> None:
    """A call that nobody answered says what was in the way."""
    cloud = AwsCloud.emulated("http://127.0.0.1:1", records=kept)
    with pytest.raises(EnvironmentFailedError):
        cloud.identity()

    assert [("sts:GetCallerIdentity", "no answer")] == [(call, status) for call, _, status, _ in kept.all]
    assert "connect" in kept.all[0][3]["error"]
