from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.kubernetes.conftest import CUT, ScriptedServer, write_kubeconfig

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.kubernetes import rest
from rollbook.kubernetes.rest import ApiServer, ServerRefusedError
from rollbook.kubernetes.watch import watch_object

OK = (200, {"fine": True})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "RETRY_DELAYS_S", (0.0, 0.0))


def _status(code: int, message: str) -> tuple[int, dict[str, object]]:
    return code, {"kind": "Status", "reason": "Because", "message": message}


@pytest.mark.parametrize("trouble", [CUT, _status(503, "busy"), _status(429, "slow down")])
def test_a_passing_trouble_is_sat_out(api: ApiServer, scripted: ScriptedServer, trouble: object) -> None:
    """A cut connection, 429 and 5xx are tried again."""
    scripted.answers = [trouble, trouble, OK]
    assert {"fine": True} == api.request("GET", "/x")


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_final(api: ApiServer, scripted: ScriptedServer, code: int) -> None:
    """Other refusals are told at once, with the server's own words."""
    scripted.answers = [_status(code, "you may not")]
    with pytest.raises(ServerRefusedError, match="you may not") as caught:
        api.request("PATCH", "/x", body={})
    assert code == caught.value.code
    assert ["PATCH /x"] == scripted.asked


def test_a_field_of_the_wrong_type_is_not_the_servers_trouble(
    api: ApiServer, scripted: ScriptedServer
) -> None:
    """Server-side apply answers 500 to it; it is a refusal all the same, and final."""
    scripted.answers = [_status(500, "failed to create typed patch object (x): .data: expected string")]
    with pytest.raises(ServerRefusedError, match="expected string") as caught:
        api.request("PATCH", "/x", body={})
    assert (422, 1) == (caught.value.code, len(scripted.asked))


def test_trouble_that_stays_is_told(api: ApiServer, scripted: ScriptedServer) -> None:
    """After the last attempt the server's words are passed on."""
    scripted.answers = [_status(500, "etcd is down")]
    with pytest.raises(EnvironmentFailedError, match="etcd is down"):
        api.request("GET", "/x")
    assert 3 == len(scripted.asked)


def test_a_cluster_that_is_down(tmp_path: Path) -> None:
    """A refused connection says so, and what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    api = ApiServer.from_kubeconfig(write_kubeconfig(tmp_path / "k", f"http://127.0.0.1:{port}"), None)
    with pytest.raises(EnvironmentFailedError, match="Connection refused") as caught:
        api.request("GET", "/x")
    assert "sandbox status" in caught.value.next_step


def test_a_server_that_does_not_answer_in_time(tmp_path: Path) -> None:
    """A silent server is not waited for without end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        api = ApiServer.from_kubeconfig(write_kubeconfig(tmp_path / "k", url), None)
        with pytest.raises(EnvironmentFailedError, match="did not answer in time"):
            api.request("GET", "/x", timeout_s=0.05)


def test_an_answer_that_is_not_json(api: ApiServer, scripted: ScriptedServer) -> None:
    """Something else than an API server is told as such."""
    scripted.answers = [[b"<html>"]]
    with pytest.raises(EnvironmentFailedError, match="not JSON"):
        api.request("GET", "/x")


@pytest.mark.parametrize("content", [None, "not: [yaml", "{}", "a: 1"])
def test_a_kubeconfig_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    """A missing or broken kubeconfig is the user's input."""
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInputError, match="kubeconfig"):
        ApiServer.from_kubeconfig(path, None)


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    """An unknown context is the user's input."""
    path = write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:1")
    with pytest.raises(BadInputError, match="nowhere"):
        ApiServer.from_kubeconfig(path, "nowhere")


def _listed(version: str, *objects: dict[str, object]) -> tuple[int, dict[str, object]]:
    return 200, {"metadata": {"resourceVersion": version}, "items": list(objects)}


def _object(version: str) -> dict[str, object]:
    return {"metadata": {"name": "hello", "resourceVersion": version}}


def test_a_watch_survives_breaks(api: ApiServer, scripted: ScriptedServer) -> None:
    """After a cut line, an expired version or an end it looks afresh, and tells nothing twice."""
    scripted.answers = [
        _listed("1", _object("1")),
        [b'{"type":"MODIFIED","object":{"metadata":{"resourceVersion":"2"}}}', b'{"type":"MOD'],
        _listed("2", _object("2")),
        [b'{"type":"ERROR","object":{"code":410}}'],
        _listed("3", _object("3")),
        [b'{"type":"DELETED","object":{"metadata":{"resourceVersion":"4"}}}'],
        _listed("5"),
    ]
    seen = [
        found["metadata"]["resourceVersion"]
        for found in watch_object(api, "/rollouts", "hello", timeout_s=4.0)
    ]
    assert ["1", "2", "3"] == seen
    assert "resourceVersion=2" in scripted.asked[3]


def test_a_watch_ends_in_time(api: ApiServer, scripted: ScriptedServer) -> None:
    """A watch on nothing yields nothing and ends by itself."""
    scripted.answers = [_listed("1")]
    assert [] == list(watch_object(api, "/rollouts", "hello", timeout_s=0.3))
