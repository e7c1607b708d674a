"""An API server reached with tokens that are made here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.evidence.kept import Kept

from rollbook.errors import BadInputError
from rollbook.kubernetes import bearer
from rollbook.kubernetes.rest import ServerRefusedError


@dataclass
class Doorman:
    """A server that takes one token, and what it was shown."""

    takes: str
    url: str = ""
    shown: list[str] = field(default_factory=list)


@pytest.fixture
def doorman() -> Iterator[Doorman]:
    keeper = Doorman("second")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "")
            keeper.shown.append(token)
            good = token == f"Bearer {keeper.takes}"
            content = json.dumps({"kind": "Status", "message": "Unauthorized"} if not good else {"in": True})
            self.send_response(200 if good else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    keeper.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield keeper
    http.shutdown()
    http.server_close()
    thread.join()


class Purse:
    """Tokens in a row; the last one again and again."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)

    def token(self) -> str:
        return self._tokens[0]

    def renew(self) -> str:
        if len(self._tokens) > 1:
            self._tokens.pop(0)
        return self._tokens[0]


def test_a_refused_token_is_renewed_once(doorman: Doorman) -> None:
    """After a 401 the request is sent again with another token, which is kept for the next one."""
    kept = Kept()
    api = bearer.connect(doorman.url, certificate_authority="", tokens=Purse("first", "second"), records=kept)

    assert {"in": True} == api.request("GET", "/version") == api.request("GET", "/version")
    assert ["Bearer first", "Bearer second", "Bearer second"] == doorman.shown
    assert ["401", "200", "200"] == [status for _, _, status, _ in kept.all]
    assert "first" not in str(kept.all)


def test_a_token_that_stays_refused_is_told(doorman: Doorman) -> None:
    """It is renewed once and no more; the second 401 is the answer."""
    api = bearer.connect(doorman.url, certificate_authority="", tokens=Purse("first", "other", "second"))
    with pytest.raises(ServerRefusedError, match="Unauthorized") as caught:
        api.request("GET", "/version")

    assert (401, 2) == (caught.value.code, len(doorman.shown))


def test_a_stream_is_opened_with_a_renewed_token(doorman: Doorman) -> None:
    """A watch that is refused is opened again, too."""
    api = bearer.connect(doorman.url, certificate_authority="", tokens=Purse("first", "second"))
    with api.lines("/version", query={"watch": "1"}, read_timeout_s=5.0):
        pass

    assert ["Bearer first", "Bearer second"] == doorman.shown


def test_an_authority_that_is_no_certificate(doorman: Doorman) -> None:
    """What is no PEM is told before anything is asked."""
    with pytest.raises(BadInputError, match="certificate authority"):
        bearer.connect(doorman.url, certificate_authority="nonsense", tokens=Purse("second"))
    assert [] == doorman.shown
