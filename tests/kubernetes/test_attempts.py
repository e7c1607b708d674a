"""What must be refused is asked for without being done, and in whose name is in the record."""

from __future__ import annotations

import pytest
from tests.evidence.kept import Kept
from tests.kubernetes import sandboxed
from tests.kubernetes.conftest import ScriptedServer

from rollbook.domain.attempts import Refusal
from rollbook.errors import EnvironmentFailedError
from rollbook.kubernetes.attempts import ActingAs, KubernetesAttempts
from rollbook.kubernetes.rest import ApiServer
from rollbook.sandbox.api import Sandbox

SECRETS = "/api/v1/namespaces/shop/secrets?limit=1"


def test_a_refusal_is_told_in_the_servers_words(api: ApiServer, scripted: ScriptedServer) -> None:
    """Its status and its message; what is given is no refusal."""
    scripted.answers = [
        (403, {"kind": "Status", "message": "no"}),
        (200, {"kind": "SecretList", "items": []}),
    ]
    attempts = KubernetesAttempts(api, controller="argo")

    assert ("argo", Refusal(403, "no")) == (attempts.controller, attempts.list_secrets("u", "shop"))
    assert attempts.list_secrets("u", "shop") is None
    assert [f"GET {SECRETS}"] * 2 == scripted.asked


def test_an_answer_that_is_no_refusal_is_an_error(api: ApiServer, scripted: ScriptedServer) -> None:
    """A server that knows no such path has refused nothing."""
    scripted.answers = [(404, {"kind": "Status", "message": "not found"})]

    with pytest.raises(EnvironmentFailedError, match="404"):
        KubernetesAttempts(api).list_secrets("u", "")


def test_the_name_is_sent_and_recorded(api: ApiServer, scripted: ScriptedServer) -> None:
    """Who was asked for is a header of the request, and a parameter of its record."""
    scripted.answers = [(403, {"kind": "Status", "message": "no"})]
    kept = Kept()
    api.recording._records = kept
    KubernetesAttempts(api).list_secrets("somebody", "shop")

    assert "somebody" == ActingAs(api, "somebody").credentials()["Impersonate-User"]
    assert "Impersonate-User" not in api.credentials()
    [(call, parameters, status, _)] = kept.all
    assert ("GET /api/v1/namespaces/shop/secrets", "403") == (call, status)
    assert {"limit": "1", "as": "somebody"} == parameters


@pytest.mark.sandbox
def test_nothing_is_made_of_what_is_tried(sandbox: Sandbox) -> None:
    """A real API server takes a pod as a dry run, refuses another, and has neither afterwards."""
    admin = sandboxed.admin(sandbox)
    attempts = KubernetesAttempts(admin)
    with sandboxed.namespace(admin, "attempts") as place:
        metadata = {"name": "tried", "namespace": place}
        container = {"name": "one", "image": "one:1"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
        without = {**pod, "spec": {"containers": []}}

        assert attempts.create(pod) is None
        said = attempts.create(without)
        assert said is not None
        assert 422 == said.code
        assert [] == admin.request("GET", f"/api/v1/namespaces/{place}/pods")["items"]


@pytest.mark.sandbox
def test_a_real_server_decides_by_the_rights_of_the_other(sandbox: Sandbox) -> None:
    """Argo is refused all Secrets, an account without rights those of its namespace; Traefik is not."""
    attempts = KubernetesAttempts(sandboxed.admin(sandbox))
    account = "system:serviceaccount:hello:hello"
    refusals = [attempts.list_secrets("argo-rollouts", ""), attempts.list_secrets(account, "hello")]

    assert [403, 403] == [each.code for each in refusals if each is not None]
    assert attempts.list_secrets("traefik", "") is None
