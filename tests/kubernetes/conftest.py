"""Objects of a real cluster, recorded; and a small API server whose answers a test writes down."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rollbook.kubernetes.rest import ApiServer

DATA = Path(__file__).parent / "data"


@pytest.fixture
def recorded() -> Callable[[str], Any]:
    """Reads `data/<name>.json`."""
    return lambda name: json.loads((DATA / f"{name}.json").read_text())


@dataclass
class ScriptedServer:
    """Answers requests in the order of `answers`; the last one again and again.

    An answer is a status and a body (JSON), `CUT` (the connection is closed), or a list of stream lines.
    """

    url: str
    answers: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def next(self) -> Any:
        """The answer to the request that came in."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


CUT = object()


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    server = ScriptedServer("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(f"{self.command} {self.path}")
            answer = server.next()
            if answer is CUT:
                self.close_connection = True
                return
            if isinstance(answer, list):
                self.send_response(200)
                self.end_headers()
                for line in answer:
                    self.wfile.write(line + b"\n")
                self.close_connection = True
                return
            status, body = answer
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PATCH = do_GET  # noqa: N815  # the base class looks for this name

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def api(scripted: ScriptedServer, tmp_path: Path) -> ApiServer:
    """A client of the scripted server."""
    return ApiServer.from_kubeconfig(write_kubeconfig(tmp_path / "kubeconfig", scripted.url), None)


def write_kubeconfig(path: Path, url: str) -> Path:
    """A kubeconfig with a token for a server."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path.write_text(json.dumps(config))
    return path
