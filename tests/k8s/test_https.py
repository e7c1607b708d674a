"""HTTPS by a real Traefik that has the chart's entry points: the same split by both, or a redirect."""

from __future__ import annotations

import http.client
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollbook.kubernetes import connect
from rollbook.sandbox.api import Sandbox
from rollbook.sandbox.home import Cache
from rollbook.sandbox.pki import Authority
from rollbook.sandbox.progress import SilentProgress
from rollbook.sandbox.toolchain import traefik_binary

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]
HOST = "hello.rollbook.test"
"""In the manifests; here each namespace has its own, for the sandbox's edge sees these routes, too."""
OF_THE_EDGE = {"Service", "TraefikService", "IngressRoute", "Middleware"}
READY_S = 20.0


class Backend(BaseHTTPRequestHandler):
    """Stands for a pod of the stable version."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"stable")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Say nothing."""


@dataclass(frozen=True)
class Edge:
    """Ports of both entry points, the host that is asked for, and the authority of its certificate."""

    host: str
    web: int
    websecure: int
    authority: str

    def get(self, *, tls: bool) -> tuple[int, bytes, str]:
        """Status, body and Location of `/` for our host; the certificate is verified."""
        with socket.create_connection(("127.0.0.1", self.websecure if tls else self.web), timeout=60) as raw:
            context = ssl.create_default_context(cadata=self.authority)
            with context.wrap_socket(raw, server_hostname=self.host) if tls else raw as way:
                connection = http.client.HTTPConnection(self.host, timeout=60)
                connection.sock = way
                connection.request("GET", "/")
                answer = connection.getresponse()
                return answer.status, answer.read(), answer.headers.get("Location", "")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def overlay(folder: Path, *, https_only: bool) -> Path:
    """The overlay for EKS, from a copy of k8s/ in which plain HTTP may redirect."""
    shutil.copytree(ROOT / "k8s", folder / "k8s")
    path = folder / "k8s" / "overlays" / "eks"
    if https_only:
        kustomization = yaml.safe_load((path / "kustomization.yaml").read_text())
        kustomization["components"].append("../../https-only")
        (path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return path


def around(namespace: str, port: int, pair: tuple[bytes, bytes]) -> list[dict[str, Any]]:
    """Namespace, an endpoint of the stable Service, and the certificate that the edge presents by default."""
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "stable", "labels": {"kubernetes.io/service-name": "hello-stable"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
    }
    certificate = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "edge"},
        "stringData": {"tls.crt": pair[0].decode(), "tls.key": pair[1].decode()},
    }
    store = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "TLSStore",
        "metadata": {"name": "default"},
        "spec": {"defaultCertificate": {"secretName": "edge"}},
    }
    objects = [slice_, certificate, store]
    for each in objects:
        each["metadata"]["namespace"] = namespace  # type: ignore[index]  # each has metadata
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, *objects]


@pytest.fixture
def backend() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=[False, True], ids=["both", "https-only"])
def edge(
    request: pytest.FixtureRequest, sandbox: Sandbox, backend: int, tmp_path: Path
) -> Iterator[tuple[bool, Edge]]:
    """A Traefik of the test's own, for one namespace, with the overlay's way into it."""
    cluster = connect(sandbox.kubeconfig, kubectl=sandbox.kubectl)
    namespace = f"https-{secrets.token_hex(4)}"
    host = f"{namespace}.rollbook.test"
    authority = Authority("edge")
    objects = around(namespace, backend, authority.issue(host, names=[host], server=True))
    for each in cluster.render(overlay(tmp_path, https_only=request.param)):
        if each["kind"] in OF_THE_EDGE:
            # Without a selector: the only endpoint is the one above.
            spec = {key: value for key, value in each["spec"].items() if key != "selector"}
            spec = yaml.safe_load(yaml.safe_dump(spec).replace(HOST, host))
            objects.append({**each, "spec": spec, "metadata": {**each["metadata"], "namespace": namespace}})
    cluster.apply(objects)
    found = Edge(host, free_port(), free_port(), authority.pem.decode())
    values = yaml.safe_load((ROOT / "k8s" / "addons" / "traefik" / "values.yaml").read_text())
    process = subprocess.Popen(
        [
            str(traefik_binary(Cache.current(), SilentProgress())),
            f"--entryPoints.web.address=127.0.0.1:{found.web}",
            f"--entryPoints.websecure.address=127.0.0.1:{found.websecure}",
            *values["additionalArguments"],
            *values["additionalArguments"],  # the chart has the same by default
            "--providers.kubernetesCRD=true",
            "--providers.kubernetesCRD.allowEmptyServices=true",
            f"--providers.kubernetesCRD.namespaces={namespace}",
            "--global.checkNewVersion=false",
        ],
        env={"KUBECONFIG": str(sandbox.kubeconfig), "HOME": str(tmp_path)},
        stdout=(tmp_path / "log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if found.get(tls=True)[0] == 200:
                    break
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        yield request.param, found
    finally:
        process.terminate()
        process.wait()
        subprocess.run(
            [
                *(sandbox.kubectl, "--kubeconfig", sandbox.kubeconfig),
                *("delete", "namespace", namespace, "--wait=false"),
            ],
            capture_output=True,
            check=True,
        )


def test_https_leads_where_http_leads(edge: tuple[bool, Edge]) -> None:
    """With a verified certificate HTTPS comes to the split; so does HTTP, unless it is told to redirect."""
    https_only, found = edge

    assert (200, b"stable", "") == found.get(tls=True)
    status, body, location = found.get(tls=False)
    if https_only:
        assert (301, f"https://{found.host}/") == (status, location)
    else:
        assert (200, b"stable", "") == (status, body, location)
