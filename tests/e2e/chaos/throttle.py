"""AWS that throttles: a reverse proxy before the emulator, which refuses as many calls as it is told to."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

JSON = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
XML = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"
    b"<Message>Rate exceeded</Message></Error><RequestId>0</RequestId></ErrorResponse>"
)
FOR_EVER = math.inf
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "server", "date", "host"}


class Throttle:
    """How many of the next calls are refused, and how many were."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.url = ""
        self.refused = 0
        self._left = 0.0
        self._lock = threading.Lock()

    def refuse(self, calls: float) -> None:
        """Refuse the next `calls` calls."""
        with self._lock:
            self._left = calls

    def refuses(self) -> bool:
        """Whether this call is refused."""
        with self._lock:
            if self._left <= 0:
                return False
            self._left -= 1
            self.refused += 1
            return True


def end_to_end(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that a proxy hands on."""
    return {name: value for name, value in headers if name.lower() not in HOP_BY_HOP}


@contextmanager
def throttle_before(url: str) -> Iterator[Throttle]:
    """A proxy on a free port of loopback that passes everything on to `url` until it is told to refuse."""
    throttle = Throttle(url)
    pool = urllib3.PoolManager(retries=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if throttle.refuses():
                form = "x-www-form-urlencoded" in self.headers.get("Content-Type", "")
                self._send(
                    400,
                    {"Content-Type": "text/xml" if form else "application/x-amz-json-1.1"},
                    XML if form else JSON,
                )
                return
            kept = end_to_end(self.headers.items())
            answer = pool.request(self.command, throttle.behind + self.path, body=body, headers=kept)
            self._send(answer.status, end_to_end(answer.headers.items()), answer.data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815  # the base class names them so

        def _send(self, code: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    throttle.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield throttle
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
