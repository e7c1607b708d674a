"""The sandbox's pager: takes Alertmanager's webhooks and tells afterwards what it was sent, and when.

`python -m rollbook.sandbox.receiver --port PORT --file FILE`, on loopback only.

    POST /RECEIVER                 a notification, as Alertmanager's webhook has it (version 4)
    GET  /notifications?since=T    {"notifications": [...]}: what came at T (seconds since the epoch) or later
    GET  /healthz                  200

Each notification is one line of JSON in FILE, `{"received_at": T, "receiver": NAME, "notification": {...}}`,
written before it is answered. A receiver that starts again goes on with what is in the file. Memory and file
are bounded: the oldest are forgotten. With the standard library alone, as it lives as long as the sandbox.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import threading
import time
from collections import deque
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

LARGEST_BODY = 1 << 20
MOST_LINES = 2_000
MOST_BYTES = 4 << 20


class Inbox:
    """Notifications, in memory and in a file; safe to use from several threads."""

    def __init__(self, file: Path, *, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        self._file = file
        self._most = (most_lines, most_bytes)
        self._lock = threading.Lock()
        self._kept: deque[tuple[float, str]] = deque()
        self._bytes = 0
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.is_file():
            # A line that its writer did not finish is no JSON, and is left out.
            for line in file.read_text("utf-8", errors="replace").splitlines():
                received = _received_at(line)
                if received is not None:
                    self._keep(received, line)

    def take(self, receiver: str, notification: Any, at: float) -> None:
        """Keep a notification. OSError when the disk does not take it: then Alertmanager sends it again."""
        line = json.dumps({"received_at": at, "receiver": receiver, "notification": notification})
        with self._lock:
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
            self._keep(at, line)
            if self._file.stat().st_size > 2 * self._most[1]:
                fresh = self._file.with_suffix(".new")
                fresh.write_text("".join(f"{line}\n" for _, line in self._kept), "utf-8")
                fresh.replace(self._file)

    def since(self, moment: float) -> str:
        """The notifications that came at that moment or later, as one JSON object."""
        with self._lock:
            lines = [line for at, line in self._kept if at >= moment]
        return '{"notifications": [' + ", ".join(lines) + "]}"

    def _keep(self, at: float, line: str) -> None:
        self._kept.append((at, line))
        self._bytes += len(line)
        while self._kept and (len(self._kept) > self._most[0] or self._bytes > self._most[1]):
            self._bytes -= len(self._kept.popleft()[1])


def _received_at(line: str) -> float | None:
    try:
        return float(json.loads(line)["received_at"])
    except (ValueError, KeyError, TypeError):
        return None


class InboxServer(ThreadingHTTPServer):
    """A server of the inbox on loopback; port 0 is any free one. OSError when the port is taken."""

    daemon_threads = True

    def __init__(self, inbox: Inbox, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.inbox = inbox


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: InboxServer
    timeout = 10
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Health, or what came."""
        parts = urlsplit(self.path)
        if parts.path == "/healthz":
            self._answer(HTTPStatus.OK, '{"status": "ok"}')
        elif parts.path == "/notifications":
            since = _moment(parse_qs(parts.query).get("since", ["0"])[0])
            if since is None:
                self._answer(HTTPStatus.BAD_REQUEST, '{"error": "since is no number of seconds"}')
            else:
                self._answer(HTTPStatus.OK, self.server.inbox.since(since))
        else:
            self._answer(HTTPStatus.NOT_FOUND, '{"error": "there is no such page"}')

    def do_POST(self) -> None:
        """Take a notification."""
        status, words = self._take()
        if status is not HTTPStatus.OK:
            self.close_connection = True  # the body may be unread
        self._answer(status, json.dumps(words))

    def _take(self) -> tuple[HTTPStatus, dict[str, str]]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return HTTPStatus.LENGTH_REQUIRED, {"error": "Content-Length is missing"}
        if int(length) > LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"more than {LARGEST_BODY} bytes"}
        try:
            notification = json.loads(self.rfile.read(int(length)))
        except ValueError:
            return HTTPStatus.BAD_REQUEST, {"error": "the body is no JSON"}
        try:
            self.server.inbox.take(urlsplit(self.path).path.strip("/"), notification, time.time())
        except OSError as error:
            return HTTPStatus.INSUFFICIENT_STORAGE, {"error": str(error)}
        return HTTPStatus.OK, {"status": "ok"}

    def _answer(self, status: HTTPStatus, body: str) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: what came is in the file."""


def _moment(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the receiver's process; SIGTERM ends it."""
    parser = argparse.ArgumentParser(prog="rollbook-sandbox-receiver")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args(arguments)
    server = InboxServer(Inbox(options.file), options.port)
    # From another thread: shutdown waits for the loop that the signal interrupts.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    with server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
