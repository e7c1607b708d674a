"""Answers `GET /judge` over HTTP, as Argo Rollouts' `web` metric provider asks.

GET /judge?namespace=&stable=&canary=&start=   200 with the verdict; 400 for parameters that cannot be, 404
                                               for a namespace without counters, 503 without Prometheus
GET /healthz                                   200
"""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from rollbook.errors import BadInputError, EnvironmentFailedError, NotFoundError, RollbookError
from rollbook.judge.model import Verdict
from rollbook.prometheus.verdicts import Verdicts


class JudgeServer(ThreadingHTTPServer):
    """A server of verdicts; port 0 is any free one. OSError when the port is taken."""

    daemon_threads = True

    def __init__(self, verdicts: Verdicts, host: str, port: int) -> None:
        super().__init__((host, port), Handler)
        self.verdicts = verdicts

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: JudgeServer
    timeout = 10
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Health, or a verdict."""
        parts = urlsplit(self.path)
        if parts.path == "/healthz":
            self._answer(HTTPStatus.OK, {"status": "ok"})
        elif parts.path == "/judge":
            self._answer(*self._judged(dict(parse_qsl(parts.query))))
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is no such page"})

    def _judged(self, given: dict[str, str]) -> tuple[HTTPStatus, dict[str, Any]]:
        try:
            return HTTPStatus.OK, self.server.verdicts.answer(given)
        except NotFoundError as error:
            return HTTPStatus.NOT_FOUND, _refused(error)
        except EnvironmentFailedError as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, _refused(error)
        except BadInputError as error:
            return HTTPStatus.BAD_REQUEST, _refused(error)

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        content = json.dumps(body, allow_nan=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """One line for each question but those after its health."""
        if not self.path.startswith("/healthz"):
            sys.stderr.write(f"{self.log_date_time_string()} {format % args}\n")


def _refused(error: RollbookError) -> dict[str, Any]:
    return {"verdict": Verdict.NO_DATA.value, "error": error.what, "why": error.why}


def serve(verdicts: Verdicts, bind: str, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `ready` is called with the URL.

    BadInputError when `bind` is no HOST:PORT; EnvironmentFailedError when it cannot be listened on.
    """
    found = re.fullmatch(r"\[?([^\[\]]+)\]?:(\d{1,5})", bind)
    if found is None or int(found[2]) > 65535:
        raise BadInputError(f"{bind!r} is no address", next_step="Give --bind as 127.0.0.1:9797.")
    try:
        server = JudgeServer(verdicts, found[1], int(found[2]))
    except OSError as error:
        raise EnvironmentFailedError(
            f"{bind} cannot be listened on",
            why=error.strerror or str(error),
            next_step="Give another --bind.",
        ) from error
    # From another thread: shutdown waits for the loop that the signal interrupts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    with server:
        ready(server.url)
        server.serve_forever()
