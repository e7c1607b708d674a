"""What rollbook asks of a cluster is listed, and a user who lacks some of it is told which."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.kubernetes import sandboxed

from rollbook.domain.findings import State
from rollbook.kubernetes.permissions import ACCESSES, Access, Names, Purpose, Where, permissions
from rollbook.kubernetes.permissions import allowed as may
from rollbook.kubernetes.rest import ApiServer
from rollbook.sandbox.api import Sandbox

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "reports" / "sample" / "evidence"
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
Asked = tuple[str, str, str]
"""Verb, group and resource."""
OF_ADMINISTRATORS = {"validatingadmissionpolicies", "validatingadmissionpolicybindings"}
"""What the sandbox's overlay has, and on EKS an overlay that releases do not apply."""


def asked_by(call: str, parameters: dict[str, Any]) -> Asked | None:
    """What a recorded request to the API server asks to be allowed; None for what is no resource."""
    method, _, path = call.partition(" ")
    found = re.fullmatch(r"/(?:api/v1|apis/([^/]+)/[^/]+)((?:/[^/]+)+)", path)
    if found is None:
        return None
    parts = found[2].strip("/").split("/")
    if parts[0] == "namespaces" and len(parts) > 2:
        parts = parts[2:]
    verb = VERBS[method]
    if verb == "get" and len(parts) == 1:
        verb = "watch" if parameters.get("watch") else "list"
    resource = "/".join([parts[0], *parts[2:]])
    return verb, found[1] or "", resource


def tried(parameters: dict[str, Any]) -> bool:
    """Whether something was asked for that has to be refused: as a dry run, or in the name of another."""
    return "as" in parameters or "dryRun" in parameters


def listed() -> set[Asked]:
    return {(one.verb, one.group, one.resource) for one in ACCESSES}


def test_requests_are_read_as_the_api_server_reads_them() -> None:
    """Collections, objects, subresources, watches, and paths that are no resources."""
    rollouts = "/apis/argoproj.io/v1alpha1/namespaces/hello/rollouts"
    assert ("list", "", "nodes") == asked_by("GET /api/v1/nodes", {})
    assert ("get", "", "namespaces") == asked_by("GET /api/v1/namespaces/hello", {})
    assert ("watch", "argoproj.io", "rollouts") == asked_by(f"GET {rollouts}", {"watch": "true"})
    assert ("patch", "argoproj.io", "rollouts/status") == asked_by(f"PATCH {rollouts}/hello/status", {})
    assert [None, None, None] == [asked_by(f"GET {path}", {}) for path in ("/version", "/apis", "/readyz")]


def test_a_recorded_run_asked_only_what_is_listed() -> None:
    """Every request to the API server in the committed run's evidence."""
    found = set()
    for path in SAMPLE.glob("sha256/*/*.json"):
        record = json.loads(path.read_text())
        if record["of"] == "kube-apiserver" and not tried(record["parameters"]):
            found.add(asked_by(record["call"], record["parameters"]))

    assert ("get", "", "pods/log") in found
    assert {one for one in found - {None} if one[2] not in OF_ADMINISTRATORS} <= listed()


def _rules(accesses: Iterable[Access], names: Names) -> list[dict[str, Any]]:
    """Rules as narrow as they can be: what is created has no name yet."""
    narrow = {"leases": [names.lease], "namespaces": [names.namespace]}
    return [
        {
            "apiGroups": [one.group],
            "resources": [one.resource],
            "verbs": [one.verb],
            "resourceNames": [] if one.verb == "create" else narrow.get(one.resource, []),
        }
        for one in accesses
    ]


@contextmanager
def _user(
    sandbox: Sandbox, admin: ApiServer, folder: Path, names: Names, accesses: Iterable[Access]
) -> Iterator[ApiServer]:
    """A service account of the namespace that may do just this, each where it is."""
    place, allowed = names.namespace, list(accesses)
    kubeconfig = sandboxed.account(sandbox, admin, place, "releaser", folder)
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    bases = {
        Where.SERVICE: ("Role", f"{rbac}/namespaces/{place}"),
        Where.LEASES: ("Role", f"{rbac}/namespaces/default"),
        Where.CLUSTER: ("ClusterRole", rbac),
    }
    made = []
    for where, (kind, base) in bases.items():
        metadata = {"name": place}
        rules = _rules((one for one in allowed if one.where is where), names)
        role, binding = f"{base}/{kind.lower()}s", f"{base}/{kind.lower()}bindings"
        sandboxed.create(admin, role, {"metadata": metadata, "rules": rules})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": place}
        subjects = [{"kind": "ServiceAccount", "name": "releaser", "namespace": place}]
        bound = {"metadata": metadata, "roleRef": reference, "subjects": subjects}
        sandboxed.create(admin, binding, bound)
        made += [f"{role}/{place}", f"{binding}/{place}"]
    server = ApiServer.from_kubeconfig(kubeconfig, None)
    for where in Where:  # the authorizer hears of new rules a moment after they are stored
        last = next(one for one in reversed(allowed) if one.where is where and one.verb != "create")
        deadline = time.monotonic() + 30.0
        while not may(server, last, names) and time.monotonic() < deadline:
            time.sleep(0.05)
    yield server
    for path in made:
        admin.request("DELETE", path)


@pytest.mark.sandbox
def test_a_user_with_just_these_rights_has_all(sandbox: Sandbox, tmp_path: Path) -> None:
    """Rules may be narrowed to the service's namespace, to its Lease and to its Namespace."""
    admin = sandboxed.admin(sandbox)
    with sandboxed.namespace(admin, "listed") as place:
        names = Names(place, f"rollbook-{place}-hello")
        with _user(sandbox, admin, tmp_path, names, ACCESSES) as server:
            found = tuple(permissions(server, "releaser", names, namespace_is_there=False))

    count = sum(one.purpose is Purpose.RELEASE for one in ACCESSES)
    assert [
        ("ok", f"{count} of {count} allowed to releaser", ""),
        ("ok", "1 of 1 allowed to releaser", ""),
    ] == [(str(one.state), one.detail, one.next_step) for one in found]


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("lacking", "there", "words"),
    [
        (("patch", "rollouts/status"), True, "patch rollouts.argoproj.io/status in {}"),
        (("watch", "rollouts"), True, "watch rollouts.argoproj.io in {}"),
        (("update", "leases"), True, "update leases.coordination.k8s.io in default"),
        (("list", "nodes"), True, "list nodes in the whole cluster"),
        (("create", "namespaces"), False, "create namespaces in the whole cluster"),
        (("create", "namespaces"), True, ""),
    ],
)
def test_a_right_that_is_lacking_is_the_only_one_told(
    sandbox: Sandbox, tmp_path: Path, lacking: tuple[str, str], there: bool, words: str
) -> None:
    """A Namespace that is there already need not be created."""
    admin = sandboxed.admin(sandbox)
    with sandboxed.namespace(admin, "lacking") as place:
        names = Names(place, f"rollbook-{place}-hello")
        rest = [one for one in ACCESSES if (one.verb, one.resource) != lacking]
        with _user(sandbox, admin, tmp_path, names, rest) as server:
            release, _ = permissions(server, "releaser", names, namespace_is_there=there)

    expected = f"releaser may not: {words.format(place)}"
    assert (State.FAIL, expected) == (release.state, release.detail) if words else release.state is State.OK
