"""Identities of the sandbox: what each may do that matters is written down, what it must not is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.kubernetes import sandboxed

from rollbook.kubernetes.rest import ApiServer, ServerRefusedError
from rollbook.sandbox.api import Sandbox
from rollbook.sandbox.pki import ADMIN, USERS

DOCUMENT = Path(__file__).parents[2] / "docs" / "rbac.md"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
SENSITIVE = {
    "secrets",
    "pods",
    "pods/attach",
    "pods/binding",
    "pods/ephemeralcontainers",
    "pods/eviction",
    "pods/exec",
    "pods/portforward",
    "nodes/proxy",
    "services/proxy",
    "serviceaccounts",
    "serviceaccounts/token",
    "namespaces",
    "users",
    "groups",
    "roles",
    "rolebindings",
    "clusterroles",
    "clusterrolebindings",
    "certificatesigningrequests/approval",
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
    "*",
}
SECRETS = ("/api/v1/secrets", "/api/v1/namespaces/kube-system/secrets", "/api/v1/namespaces/hello/secrets")

pytestmark = pytest.mark.sandbox

Right = tuple[str, str, str]
"""Identity, resource (with its name, where only one is allowed), verb."""


def rights(identity: str, rules: Iterable[dict[str, Any]]) -> set[Right]:
    """Rights that matter, of the rules that the API server names for a user."""
    return {
        (identity, " ".join(filter(None, ("*.*" if resource == "*" else resource, name))), verb)
        for rule in rules
        for resource in rule["resources"]
        if resource in SENSITIVE
        for name in rule.get("resourceNames") or [""]
        for verb in rule["verbs"]
    }


def written_down() -> set[Right]:
    """The rows of the table in docs/rbac.md."""
    rows = re.findall(r"^\| ([a-z-]+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {
        (identity, on.strip(), verb)
        for identity, on, verbs in rows
        if identity != "identity"
        for verb in verbs.split()
    }


def server_of(sandbox: Sandbox, identity: str) -> ApiServer:
    """The API server, asked with the certificate of a component."""
    return ApiServer.from_kubeconfig(sandbox.home.kubeconfig(identity), None)


def refusal(server: ApiServer, path: str) -> int:
    """The status by which a GET was refused; 200 when it was not."""
    try:
        server.request("GET", path, query={"limit": "1"})
    except ServerRefusedError as error:
        return error.code
    return 200


def test_rights_that_matter_are_written_down(sandbox: Sandbox) -> None:
    """What each identity may do with Secrets, pods, tokens and rights is the table of docs/rbac.md."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    found: set[Right] = set()
    for identity in USERS:
        body = {**review, "spec": {"namespace": "default"}}
        answer = server_of(sandbox, identity).request("POST", REVIEWS, body=body)
        found |= rights(identity, answer["status"]["resourceRules"])

    assert written_down() == found


@pytest.mark.parametrize("identity", ["argo-rollouts", "prometheus", "node-agent", "kube-scheduler"])
def test_secrets_are_refused_to_who_needs_none(sandbox: Sandbox, identity: str) -> None:
    """With their own certificates, in all namespaces, in kube-system and in the service's."""
    server = server_of(sandbox, identity)

    assert [403] * len(SECRETS) == [refusal(server, path) for path in SECRETS]


def test_a_token_of_the_service_reads_no_secret(sandbox: Sandbox, tmp_path: Path) -> None:
    """A real token of an account without rights is refused Secrets, its own namespace's and others'."""
    admin = sandboxed.admin(sandbox)
    with sandboxed.namespace(admin, "token") as place:
        who = sandboxed.account(sandbox, admin, place, "hello", tmp_path)
        server = ApiServer.from_kubeconfig(who, None)
        paths = [*SECRETS, f"/api/v1/namespaces/{place}/secrets"]

        assert [403] * len(paths) == [refusal(server, path) for path in paths]
        assert 200 == refusal(server, "/version")


def test_no_component_uses_the_administrator(sandbox: Sandbox) -> None:
    """No process of a component names the administrator's kubeconfig or certificate."""
    state = json.loads((sandbox.home.root / "state.json").read_text())
    named = {}
    for unit, facts in state["units"].items():
        process = psutil.Process(facts["pid"])
        told = [*process.cmdline(), *process.environ().values()]
        named[unit] = [one for one in told if f"{ADMIN}.kubeconfig" in one or f"{ADMIN}.key" in one]

    assert {"argo-rollouts", "traefik", "prometheus", "judge", "node-agent"} <= set(named)
    assert {unit: [] for unit in named} == named
