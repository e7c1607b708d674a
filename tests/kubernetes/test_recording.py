"""What is kept of requests to the API server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.evidence.kept import Kept
from tests.kubernetes.conftest import CUT, ScriptedServer, write_kubeconfig

from rollbook.errors import EnvironmentFailedError
from rollbook.kubernetes import rest
from rollbook.kubernetes.discovery import DISCOVERY
from rollbook.kubernetes.recording import answer_of
from rollbook.kubernetes.rest import MERGE_PATCH, ApiServer, ServerRefusedError
from rollbook.kubernetes.watch import watch_object


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def api(scripted: ScriptedServer, tmp_path: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    monkeypatch.setattr(rest, "RETRY_DELAYS_S", (0.0,))
    return ApiServer.from_kubeconfig(write_kubeconfig(tmp_path / "kubeconfig", scripted.url), None, kept)


def test_a_read_is_kept_with_its_query(api: ApiServer, scripted: ScriptedServer, kept: Kept) -> None:
    """Method, path, query, status and the object."""
    scripted.answers = [(200, {"kind": "Rollout"})]
    api.request("GET", "/rollouts/hello", query={"labelSelector": "a=b"})

    assert [("GET /rollouts/hello", {"labelSelector": "a=b"}, "200", {"kind": "Rollout"})] == kept.all
    assert (["kube-apiserver"], [False]) == (kept.systems, kept.always)


def test_a_write_is_kept_with_its_body(api: ApiServer, scripted: ScriptedServer, kept: Kept) -> None:
    """Each time, whether or not it changed anything."""
    scripted.answers = [(200, {"done": True})]
    api.request("PATCH", "/x", query={"force": "true"}, body={"spec": 1}, content_type=MERGE_PATCH)

    assert [("PATCH /x", {"force": "true", "body": {"spec": 1}}, "200", {"done": True})] == kept.all
    assert [True] == kept.always


def test_refusals_and_broken_connections_are_kept(
    api: ApiServer, scripted: ScriptedServer, kept: Kept
) -> None:
    """Every attempt: one that got no answer says why, one that was refused has the server's words."""
    scripted.answers = [CUT, (404, {"message": "not there"})]
    with pytest.raises(ServerRefusedError):
        api.request("GET", "/x")

    assert ["no answer", "404"] == [status for _, _, status, _ in kept.all]
    assert "error" in kept.all[0][3]
    assert {"message": "not there"} == kept.all[1][3]


def test_each_event_of_a_watch_is_kept(api: ApiServer, scripted: ScriptedServer, kept: Kept) -> None:
    """As the same question, from wherever the watch listens."""
    thing = {"metadata": {"name": "hello", "resourceVersion": "2"}}
    scripted.answers = [
        (200, {"metadata": {"resourceVersion": "1"}, "items": []}),
        [b'{"type":"MODIFIED","object":{"metadata":{"name":"hello","resourceVersion":"2"}}}'],
        (200, {"metadata": {"resourceVersion": "2"}, "items": [thing]}),
        (410, {"message": "expired"}),
    ]
    with pytest.raises(EnvironmentFailedError):
        list(watch_object(api, "/rollouts", "hello", timeout_s=1.5))

    selector = {"fieldSelector": "metadata.name=hello"}
    events = [one for one in kept.all if one[1].get("watch")]
    assert ("GET /rollouts", {**selector, "watch": "true"}, "200", {"type": "MODIFIED", "object": thing}) == (
        events[0]
    )
    assert ("410", {"message": "expired"}) == events[1][2:]


def test_of_a_log_its_end_and_its_digest_are_kept() -> None:
    """The log itself is a file of the record."""
    content = b"".join(b"line %d\n" % number for number in range(9)) + b"\xff" * 3000
    told = answer_of("/api/v1/namespaces/hello/pods/a/log", content)

    assert hashlib.sha256(content).hexdigest() == told["sha256"]
    assert (10, 5, "line 5") == (told["lines"], len(told["last_lines"]), told["last_lines"][0])
    assert 2000 == len(told["last_lines"][-1])


def test_of_the_list_of_all_kinds_the_kinds_are_kept(
    api: ApiServer, scripted: ScriptedServer, kept: Kept
) -> None:
    """It is long, and the same for all phases."""
    resource = {"resource": "rollouts", "responseKind": {"kind": "Rollout"}}
    group = {
        "metadata": {"name": "argoproj.io"},
        "versions": [{"version": "v1alpha1", "resources": [resource]}],
    }
    scripted.answers = [(200, {"kind": "APIGroupDiscoveryList", "items": [group]})]
    api.request("GET", "/apis", accept=DISCOVERY)

    assert ["argoproj.io/v1alpha1 Rollout"] == kept.all[0][3]["kinds"]


def test_text_is_kept_as_text() -> None:
    """What is no JSON is cut to a length that people read."""
    assert "ok" == answer_of("/readyz", b"ok")
    assert 2000 == len(answer_of("/readyz", b"x" * 5000))
