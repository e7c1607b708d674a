"""Pods on the real sandbox: an image made here, and a namespace for each test."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import psutil
import pytest

from kubernetes import client, config
from rollbook.images.layout import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, add_blob, add_image, add_json
from rollbook.sandbox import api
from rollbook.sandbox.api import Sandbox

SERVER = """
import http.server, os, pathlib, signal, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        bad = pathlib.Path(os.environ["HOME"], self.path.strip("/") or "root").exists()
        self.send_response(500 if bad else 200)
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("serving in", os.getcwd(), flush=True)
server.serve_forever()
print("bye", flush=True)
"""
"""Answers 200 to GET /x, but 500 once there is a file x in its home."""

POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


class Cluster:
    """A namespace of the sandbox. Pods are plain JSON."""

    def __init__(self, sandbox: Sandbox, core: client.CoreV1Api, namespace: str, image: str) -> None:
        self.sandbox = sandbox
        self.core = core
        self.namespace = namespace
        self.image = image
        self.pods = sandbox.home.root / "data/agent/pods"

    def start(self, name: str, *command: str, container: dict[str, Any] | None = None, **spec: Any) -> None:
        """Create a pod whose container `c` runs the command, or the image's server without one."""
        entry = {"name": "c", "image": self.image, "env": [POD_IP], **(container or {})}
        if command:
            entry["command"] = list(command)
        body = {
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 5, "containers": [entry], **spec},
        }
        self.core.create_namespaced_pod(self.namespace, body)

    def pod(self, name: str) -> dict[str, Any] | None:
        """The pod as JSON, None when there is none."""
        try:
            answer = self.core.read_namespaced_pod(name, self.namespace, _preload_content=False)
        except client.ApiException as error:
            if error.status != 404:
                raise
            return None
        found: dict[str, Any] = json.loads(answer.data)
        return found

    def wait(self, name: str, good: Callable[[dict[str, Any]], bool], seconds: float = 120) -> dict[str, Any]:
        """The pod once it is as wanted."""
        deadline = time.monotonic() + seconds
        pod: dict[str, Any] | None = None
        while time.monotonic() < deadline:
            pod = self.pod(name)
            if pod is not None and good(pod):
                return pod
            time.sleep(0.05)
        raise AssertionError(
            f"pod {name} never came to be as wanted: {json.dumps((pod or {}).get('status'))}"
        )

    def wait_ready(self, name: str) -> dict[str, Any]:
        """The pod once it is ready."""
        return self.wait(name, lambda pod: condition(pod, "Ready") == "True")

    def wait_gone(self, name: str, seconds: float = 120) -> None:
        """Return once there is no such pod."""
        deadline = time.monotonic() + seconds
        while self.pod(name) is not None:
            assert time.monotonic() < deadline, f"pod {name} is still there"
            time.sleep(0.05)

    def delete(self, name: str, grace_s: int | None = None) -> None:
        """Ask for the pod's deletion."""
        self.core.delete_namespaced_pod(name, self.namespace, grace_period_seconds=grace_s)

    def log(self, name: str, **options: Any) -> str:
        """The log of container `c`, through the API server."""
        answer = self.core.read_namespaced_pod_log(
            name, self.namespace, container="c", _preload_content=False, **options
        )
        return str(answer.data.decode())

    def wait_log(self, name: str, text: str, seconds: float = 60) -> str:
        """The log once it has this text."""
        deadline = time.monotonic() + seconds
        log = ""
        while time.monotonic() < deadline:
            with suppress(client.ApiException):
                log = self.log(name)
                if text in log:
                    return log
            time.sleep(0.05)
        raise AssertionError(f"{text!r} never came into the log of {name}: {log}")

    def wait_event(self, name: str, reason: str, text: str = "", seconds: float = 60) -> dict[str, Any]:
        """An event about the pod, once there is one."""
        deadline = time.monotonic() + seconds
        events: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            events = self.events(name)
            for event in events:
                if event["reason"] == reason and text in event["message"]:
                    return event
            time.sleep(0.05)
        seen = [(event["reason"], event["message"]) for event in events]
        raise AssertionError(f"no event {reason} with {text!r} for {name}, but {seen}")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Events about the pod."""
        answer = self.core.list_namespaced_event(
            self.namespace, field_selector=f"involvedObject.name={name}", _preload_content=False
        )
        items: list[dict[str, Any]] = json.loads(answer.data)["items"]
        return items

    def processes(self, uid: str) -> list[psutil.Process]:
        """Living processes of a pod."""
        return [process for process in psutil.process_iter() if of_pod(process) == uid]

    def home(self, pod: dict[str, Any]) -> Path:
        """The folder that the pod's containers have as HOME."""
        return self.pods / pod["metadata"]["uid"] / "home"

    def agent(self) -> psutil.Process:
        """The node agent's process, once it is up."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for component in api.status(self.sandbox.home).components:
                if component.name == "node-agent" and component.state == "ready":
                    return psutil.Process(component.pid)
            time.sleep(0.1)
        raise AssertionError("the node agent is not up")


def of_pod(process: psutil.Process) -> str | None:
    """The uid of the pod that a process belongs to."""
    with suppress(psutil.Error, OSError):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.environ().get("ROLLBOOK_POD_UID")
    return None


def condition(pod: dict[str, Any], kind: str) -> str | None:
    """Status of a condition."""
    entries = pod["status"].get("conditions") or ()
    return next((entry["status"] for entry in entries if entry["type"] == kind), None)


@pytest.fixture(scope="session")
def image(sandbox: Sandbox) -> str:
    """An image of one small server in the sandbox's layout, pinned by digest."""
    layout = sandbox.images

    def write(file: IO[bytes]) -> None:
        with tarfile.open(fileobj=file, mode="w") as archive:
            folder = tarfile.TarInfo("app")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
            entry = tarfile.TarInfo("app/server.py")
            entry.size, entry.mode = len(SERVER.encode()), 0o644
            archive.addfile(entry, io.BytesIO(SERVER.encode()))

    layer = add_blob(layout, LAYER_TYPE, write)
    platform = {"os": "linux", "architecture": "amd64"}
    settings = {
        "Entrypoint": ["python", "/app/server.py"],
        "WorkingDir": "/app",
        "User": "app",
        "Env": ["GREETING=hi"],
    }
    document = {**platform, "config": settings, "rootfs": {"type": "layers", "diff_ids": [layer.digest]}}
    made = add_json(layout, CONFIG_TYPE, document)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": made.descriptor(),
        "layers": [layer.descriptor()],
    }
    blob = add_json(layout, MANIFEST_TYPE, manifest)
    add_image(layout, blob, reference="agent-test:1", platform=platform)
    return f"agent-test@{blob.digest}"


@pytest.fixture(scope="session")
def core(sandbox: Sandbox) -> Iterator[client.CoreV1Api]:
    """A client of the sandbox's API server."""
    with config.new_client_from_config(str(sandbox.kubeconfig)) as connection:
        yield client.CoreV1Api(connection)


@pytest.fixture
def cluster(sandbox: Sandbox, core: client.CoreV1Api, image: str) -> Iterator[Cluster]:
    """A fresh namespace, removed with all that is in it."""
    name = f"agent-{uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    deadline = time.monotonic() + 60
    while not core.list_namespaced_service_account(name).items:  # pods are refused until there is one
        assert time.monotonic() < deadline, "the namespace has no service account"
        time.sleep(0.05)
    yield Cluster(sandbox, core, name, image)
    core.delete_collection_namespaced_pod(name, grace_period_seconds=1)
    core.delete_namespace(name)
