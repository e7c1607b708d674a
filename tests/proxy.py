"""A reverse proxy on loopback that may answer a call itself, cut it off, or lose its answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "server", "date", "host"}


@dataclass(frozen=True)
class Call:
    """A request that has come; `header` gives a header's value, or the default."""

    method: str
    path: str
    header: Callable[[str, str], str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer that the proxy gives itself."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Cut:
    """The connection ends before the call has been handed on."""


class Lost:
    """The call is handed on, and its answer does not arrive."""


Meet = Callable[[Call], Reply | Cut | Lost | None]
"""What a call meets on its way; None lets it pass."""


def end_to_end(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that a proxy hands on."""
    return {name: value for name, value in headers if name.lower() not in HOP_BY_HOP}


@contextmanager
def proxy_before(url: str, meet: Meet) -> Iterator[str]:
    """URL of a proxy on a free port that hands everything on to `url` but what `meet` stops."""
    pool = urllib3.PoolManager(retries=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body go out in two writes; the second would wait 40 ms for an acknowledgement.
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            met = meet(Call(self.command, self.path, self.headers.get, body))
            if isinstance(met, Reply):
                self._send(met.status, met.headers, met.body)
                return
            if isinstance(met, Cut):
                self.close_connection = True
                return
            kept = end_to_end(self.headers.items())
            answer = pool.request(self.command, url + self.path, body=body, headers=kept)
            if isinstance(met, Lost):
                self.close_connection = True
                return
            self._send(answer.status, end_to_end(answer.headers.items()), answer.data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815  # the base class names them so

        def _send(self, code: int, headers: Mapping[str, str], body: bytes) -> None:
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
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
