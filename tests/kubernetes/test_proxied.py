"""Prometheus behind the API server's proxy: a server that plays the proxy, and the sandbox's real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from tests.evidence.kept import Kept
from tests.kubernetes import sandboxed
from tests.kubernetes.conftest import write_kubeconfig
from tests.kubernetes.test_bearer import Purse

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.kubernetes import bearer
from rollbook.kubernetes.deferred import DeferredApiServer
from rollbook.kubernetes.proxied import ServiceProxy, service_url
from rollbook.kubernetes.rest import ApiServer
from rollbook.prometheus.metrics import PrometheusMetrics
from rollbook.sandbox.api import Sandbox

PLACE = "monitoring/prometheus:9090"
URL = "http://prometheus.monitoring.svc:9090"
ALERTMANAGER = "http://alertmanager.monitoring.svc:9093"
PROXY = "/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy"
NUMBER = {"data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "7"]}]}}


@dataclass
class Front:
    """An API server's proxy as it is seen from outside: what it was asked, and how it answers.

    `answer` gets method and path, and gives a status, headers and a body.
    """

    url: str = ""
    answer: Callable[[str, str], tuple[int, dict[str, str], object]] = lambda _method, _path: (
        200,
        {},
        NUMBER,
    )
    asked: list[tuple[str, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)


@pytest.fixture
def make_front() -> Iterator[Callable[[], Front]]:
    """Starts servers on loopback; each is another origin."""
    running: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def make() -> Front:
        front = Front()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                front.asked.append((self.command, self.path))
                front.shown.append(self.headers.get("Authorization", ""))
                front.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
                status, headers, body = front.answer(self.command, self.path)
                if status == 0:
                    self.close_connection = True
                    return
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815  # the base class looks for this name

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        front.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((http, thread))
        return front

    yield make
    for http, thread in running:
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def front(make_front: Callable[[], Front]) -> Front:
    return make_front()


def _server(front: Front, *tokens: str) -> ApiServer:
    return bearer.connect(front.url, certificate_authority="", tokens=Purse(*(tokens or ("t",))))


def _metrics(
    server: ApiServer, kept: Kept | None = None, alertmanager: str = ALERTMANAGER
) -> PrometheusMetrics:
    return PrometheusMetrics(service_url(PLACE), alertmanager, records=kept, adapter=ServiceProxy(server))


def _session(server: ApiServer) -> requests.Session:
    session = requests.Session()
    session.mount(URL, ServiceProxy(server))
    return session


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (PLACE, URL),
        ("https://metrics.example.com/prometheus", "https://metrics.example.com/prometheus"),
        (URL, URL),
    ],
)
def test_a_place_is_an_address_inside_the_cluster_or_a_url(place: str, expected: str) -> None:
    """The same address is right for pods, so that analysis templates may have it too."""
    assert expected == service_url(place)


@pytest.mark.parametrize("place", ["", "prometheus", "prometheus:9090", "a/b", "A/b:1", "ftp://x", "a/b:c"])
def test_a_place_that_is_none(place: str) -> None:
    """What is neither is the user's input."""
    with pytest.raises(BadInputError, match="namespace/service:port"):
        service_url(place)


def test_a_query_goes_by_the_proxy_with_the_clusters_credentials(front: Front) -> None:
    """Through the client library, which mounts an adapter of its own, as well."""
    assert _metrics(_server(front)).instant("up") == 7.0
    assert [("GET", f"{PROXY}/api/v1/query?query=up")] == front.asked
    assert ["Bearer t"] == front.shown


def test_an_api_server_beneath_a_path(front: Front) -> None:
    """Some clusters share a host, and each has a path of its own there."""
    beneath = bearer.connect(f"{front.url}/k8s/one", certificate_authority="", tokens=Purse("t"))
    assert _metrics(beneath).instant("up") == 7.0
    assert [f"/k8s/one{PROXY}/api/v1/query?query=up"] == [path for _, path in front.asked]


def test_credentials_of_a_kubeconfig(front: Front, tmp_path: Path) -> None:
    """A token of a kubeconfig is sent as well."""
    server = ApiServer.from_kubeconfig(write_kubeconfig(tmp_path / "kubeconfig", front.url), None)
    assert _metrics(server).instant("up") == 7.0
    assert ["Bearer t"] == front.shown


def test_credentials_of_an_exec_plugin(front: Front, tmp_path: Path) -> None:
    """A command of the kubeconfig is asked for the token, and for another one when it has expired."""
    plugin, calls = tmp_path / "plugin", tmp_path / "calls"
    status = '{"token": "t%s", "expirationTimestamp": "2020-01-01T00:00:00Z"}'
    credential = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": %s}'
    plugin.write_text(
        f"#!/bin/sh\necho >> {calls}\nprintf '{credential % status}' $(wc -l < {calls} | tr -d ' ')\n"
    )
    plugin.chmod(0o755)
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", front.url)
    config = json.loads(kubeconfig.read_text())
    version = "client.authentication.k8s.io/v1"
    asked = {"apiVersion": version, "command": str(plugin), "interactiveMode": "Never"}
    config["users"] = [{"name": "u", "user": {"exec": asked}}]
    kubeconfig.write_text(json.dumps(config))

    metrics = _metrics(ApiServer.from_kubeconfig(kubeconfig, None))
    assert (7.0, 7.0) == (metrics.instant("up"), metrics.instant("up"))
    first, second = (int(shown.removeprefix("Bearer t")) for shown in front.shown)
    assert first < second


def test_other_credentials_of_this_machine_are_not_sent(
    front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where a netrc has some for every host, and the cluster's own is a certificate."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", front.url)
    config = json.loads(kubeconfig.read_text())
    config["users"] = [{"name": "u", "user": {}}]
    kubeconfig.write_text(json.dumps(config))

    assert _metrics(ApiServer.from_kubeconfig(kubeconfig, None)).instant("up") == 7.0
    assert [""] == front.shown


def test_a_proxy_of_the_environment_is_passed_by(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way is that of the API server."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert _metrics(_server(front)).instant("up") == 7.0


def test_a_refused_token_is_renewed_once(front: Front) -> None:
    """After a 401 the request is sent once more; a second 401 is told."""
    front.answer = lambda _method, _path: (
        (200, {}, NUMBER) if front.shown[-1] == "Bearer second" else (401, {}, {"message": "Unauthorized"})
    )
    assert _metrics(_server(front, "first", "second")).instant("up") == 7.0
    assert ["Bearer first", "Bearer second"] == front.shown

    front.shown.clear()
    with pytest.raises(EnvironmentFailedError, match="Unauthorized"):
        _metrics(_server(front, "first", "third")).instant("up")
    assert ["Bearer first", "Bearer third"] == front.shown


def test_a_cluster_that_is_not_there_yet_is_not_asked(front: Front) -> None:
    """It is looked for at the first question, once."""
    looked: list[str] = []

    def look() -> ApiServer:
        looked.append("looked")
        return _server(front)

    metrics = _metrics(DeferredApiServer(look))
    assert [] == looked
    assert (7.0, 7.0) == (metrics.instant("up"), metrics.instant("up"))
    assert ["looked"] == looked


def test_answers_are_kept_once_and_as_those_of_prometheus(front: Front) -> None:
    """Call, parameters and answer are the same as without a proxy before them."""
    kept = Kept()
    _metrics(_server(front), kept).instant("up")
    assert [("query", {"query": "up"}, "200", NUMBER)] == kept.all
    assert ["prometheus"] == kept.systems


def test_a_long_query_is_sent_as_a_form(front: Front) -> None:
    """POST works, too, and its parameters are kept."""
    kept = Kept()
    session = _metrics(_server(front), kept)._session
    session.post(f"{URL}/api/v1/query", data={"query": "up" * 5000})
    assert [("POST", f"{PROXY}/api/v1/query")] == front.asked
    assert ["query=" + "up" * 5000] == front.bodies
    assert [("query", {"query": "up" * 5000})] == [one[:2] for one in kept.all]


def test_a_passing_trouble_is_sat_out(front: Front) -> None:
    """A Service without an endpoint for a moment, and a cut connection, are tried again."""
    troubles = [(503, {}, {"message": "no endpoints available"}), (0, {}, None), (200, {}, NUMBER)]
    front.answer = lambda _method, _path: troubles.pop(0)
    assert _metrics(_server(front)).instant("up") == 7.0
    assert 3 == len(front.asked)


@pytest.mark.parametrize(
    ("status", "next_step"), [(403, "permission"), (404, "name and the port"), (500, "log")]
)
def test_a_refusal_has_the_api_servers_words(front: Front, status: int, next_step: str) -> None:
    """Why, and what to do, whether the client library asked or not."""
    front.answer = lambda _method, _path: (status, {}, {"kind": "Status", "message": "because of this"})
    for ask in (lambda: _metrics(_server(front)).instant("up"), _metrics(_server(front)).rules):
        with pytest.raises(EnvironmentFailedError, match=f"answered {status}") as caught:
            ask()
        assert "because of this" == caught.value.why
        assert next_step in caught.value.next_step


def test_a_redirect_stays_with_the_service(front: Front) -> None:
    """The API server puts the proxy's path before that of the Service; the second question has it once."""
    kept = Kept()
    front.answer = lambda _method, path: (
        (200, {}, NUMBER) if path.endswith("/query") else (302, {"Location": f"{PROXY}/query"}, {})
    )
    answer = _metrics(_server(front), kept)._session.get(f"{URL}/")
    assert (200, f"{URL}/query") == (answer.status_code, answer.url)
    assert [f"{PROXY}/", f"{PROXY}/query"] == [path for _, path in front.asked]
    assert {("", "302"), ("query", "200")} == {(call, status) for call, _, status, _ in kept.all}
    assert 2 == len(kept.all)


def test_a_redirect_elsewhere_does_not_take_the_credentials_along(make_front: Callable[[], Front]) -> None:
    """Whoever a Service sends us to learns nothing of the cluster's token."""
    front, other = make_front(), make_front()
    front.answer = lambda _method, _path: (302, {"Location": f"{other.url}/here"}, {})
    assert 200 == _session(_server(front)).get(f"{URL}/").status_code
    assert (["Bearer t"], [("GET", "/here")], [""]) == (front.shown, other.asked, other.shown)


def test_no_redirect_leads_to_the_api_servers_own_paths(front: Front) -> None:
    """An absolute path is one of the Service, whatever it is: nothing is asked with the user's rights."""
    front.answer = lambda _method, path: (
        (302, {"Location": "/api/v1/secrets"}, {}) if path == f"{PROXY}/" else (200, {}, {})
    )
    _session(_server(front)).get(f"{URL}/")
    assert [f"{PROXY}/", f"{PROXY}/api/v1/secrets"] == [path for _, path in front.asked]


@pytest.mark.parametrize("location", ["/..%2f..%2f..%2fsecrets", "/x/%2e%2e%2f%2E%2E%2fsecrets"])
def test_no_redirect_leads_out_of_its_service(front: Front, location: str) -> None:
    """Nor do dots in a path, however they are written."""
    front.answer = lambda _method, _path: (302, {"Location": location}, {})
    with pytest.raises(requests.exceptions.InvalidURL, match="leads out of its Service"):
        _session(_server(front)).get(f"{URL}/")
    assert [f"{PROXY}/"] == [path for _, path in front.asked]


def test_other_addresses_are_reached_straight(make_front: Callable[[], Front]) -> None:
    """Where only one of the two is a Service, the other one gets no credentials."""
    front, other = make_front(), make_front()
    other.answer = lambda _method, _path: (200, {}, {"versionInfo": {"version": "0.31.1"}})
    _, alertmanager = _metrics(_server(front), alertmanager=other.url).components()
    assert ("0.31.1", True) == (alertmanager.version, alertmanager.healthy)
    assert [("GET", "/api/v2/status"), ("GET", "/-/ready")] == other.asked
    assert ["", ""] == other.shown


@pytest.fixture(scope="module")
def behind(sandbox: Sandbox) -> Iterator[str]:
    """The sandbox's Prometheus as a Service of its real API server: the place of it.

    The proxy goes to addresses of pods only, so there is a pod which nobody runs, with Prometheus' address.
    """
    server = sandboxed.admin(sandbox)
    address = urlsplit(sandbox.endpoints.prometheus_url)
    ip, port = str(address.hostname), address.port
    with sandboxed.namespace(server, "proxied") as place:
        base = f"/api/v1/namespaces/{place}"
        metadata = {"name": "prometheus", "namespace": place}
        spec = {"schedulerName": "nobody", "containers": [{"name": "none", "image": "none"}]}
        sandboxed.create(
            server, f"{base}/serviceaccounts", {"metadata": {"name": "nobody", "namespace": place}}
        )
        pod = {"metadata": metadata, "spec": {**spec, "serviceAccountName": "nobody"}}
        sandboxed.create(server, f"{base}/pods", pod)
        server.request(
            "PATCH",
            f"{base}/pods/prometheus/status",
            body={"status": {"podIP": ip, "podIPs": [{"ip": ip}]}},
            content_type="application/merge-patch+json",
        )
        ports = [{"name": "web", "port": 9090}]
        spec = {"clusterIP": "None", "ports": ports}
        sandboxed.create(server, f"{base}/services", {"metadata": metadata, "spec": spec})
        target = {"kind": "Pod", "name": "prometheus", "namespace": place}
        subsets = [{"addresses": [{"ip": ip, "targetRef": target}], "ports": [{"name": "web", "port": port}]}]
        sandboxed.create(server, f"{base}/endpoints", {"metadata": metadata, "subsets": subsets})
        yield f"{place}/prometheus:9090"


@pytest.mark.sandbox
def test_a_real_prometheus_behind_a_real_api_server(sandbox: Sandbox, behind: str) -> None:
    """By TLS and a client certificate, every question is answered as it is straight."""
    url, kept = service_url(behind), Kept()
    server = sandboxed.admin(sandbox)
    metrics = PrometheusMetrics(url, ALERTMANAGER, records=kept, adapter=ServiceProxy(server))
    straight = PrometheusMetrics(sandbox.endpoints.prometheus_url, sandbox.endpoints.alertmanager_url)

    assert straight.components()[0] == metrics.components()[0]
    assert 5.0 == metrics.instant("vector(5)")
    now = datetime.now(UTC)
    (series,) = metrics.range("vector(3)", start=now - timedelta(seconds=2), end=now, step_s=1)
    assert [3.0, 3.0, 3.0] == [value for _, value in series.points]
    assert straight.rules() == metrics.rules()
    assert {one.address for one in straight.targets()} == {one.address for one in metrics.targets()}
    with pytest.raises(BadInputError, match="parse error"):
        metrics.instant("up{")
    assert {"prometheus", "alertmanager"} == set(kept.systems)


@pytest.mark.sandbox
def test_a_real_redirect_of_prometheus(sandbox: Sandbox, behind: str) -> None:
    """What the API server rewrites is understood: Prometheus sends from `/` to its own page."""
    session = requests.Session()
    url = service_url(behind)
    session.mount(url, ServiceProxy(sandboxed.admin(sandbox)))
    answer = session.get(f"{url}/", allow_redirects=False)
    assert (302, "/query") == (answer.status_code, answer.headers["Location"])


@pytest.mark.sandbox
def test_a_user_without_the_right_is_told_which(sandbox: Sandbox, behind: str, tmp_path: Path) -> None:
    """The API server names resource and verb; a Service that is not there is named as well."""
    server = sandboxed.admin(sandbox)
    place = behind.partition("/")[0]
    kubeconfig = sandboxed.account(sandbox, server, place, "reader", tmp_path)
    url = service_url(behind)
    nobody = PrometheusMetrics(url, url, adapter=ServiceProxy(ApiServer.from_kubeconfig(kubeconfig, None)))
    with pytest.raises(EnvironmentFailedError, match=r'"services/proxy".*permission'):
        nobody.instant("up")

    missing = service_url(f"{place}/none:9090")
    with pytest.raises(EnvironmentFailedError, match='services "none" not found'):
        PrometheusMetrics(missing, missing, adapter=ServiceProxy(server)).instant("up")
