"""The receiver of alerts: what it takes, tells, refuses and forgets."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rollbook.sandbox.receiver import LARGEST_BODY, Inbox, InboxServer


@contextmanager
def listening(inbox: Inbox) -> Iterator[int]:
    """The receiver's own server on a free port."""
    server = InboxServer(inbox, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "inbox" / "notifications.jsonl"


@pytest.fixture
def port(file: Path) -> Iterator[int]:
    with listening(Inbox(file)) as found:
        yield found


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    """Status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def told(port: int, since: float | str = 0) -> list[Any]:
    status, answer = ask(port, "GET", f"/notifications?since={since}")
    assert 200 == status
    return [one["notification"] for one in answer["notifications"]]


def test_what_was_sent_is_told_and_is_a_line_in_the_file(port: int, file: Path) -> None:
    """With the receiver's name and when it came."""
    assert 200 == ask(port, "POST", "/pager", b'{"version": "4"}')[0]

    (line,) = file.read_text().splitlines()
    (kept,) = ask(port, "GET", "/notifications")[1]["notifications"]
    assert json.loads(line) == kept
    assert ("pager", {"version": "4"}) == (kept["receiver"], kept["notification"])
    assert [] == told(port, kept["received_at"] + 1)
    assert [{"version": "4"}] == told(port, kept["received_at"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/healthz", None, 200),
        ("GET", "/nowhere", None, 404),
        ("GET", "/notifications?since=yesterday", None, 400),
        ("GET", "/notifications?since=nan", None, 400),
        ("POST", "/pager", b"not json", 400),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    port: int, file: Path, method: str, path: str, body: bytes | None, status: int
) -> None:
    """Each with its status, and nothing is kept of it."""
    assert status == ask(port, method, path, body)[0]
    assert not file.exists()


def test_a_notification_without_bounds_is_refused(port: int) -> None:
    """By what it says of its length, before it is read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", "/pager")
    connection.putheader("Content-Length", str(LARGEST_BODY + 1))
    connection.endheaders()
    assert 413 == connection.getresponse().status
    connection.close()

    assert [] == told(port)


def test_a_receiver_that_starts_again_knows_what_came(file: Path) -> None:
    """A line that was torn by its end is left out."""
    with listening(Inbox(file)) as port:
        ask(port, "POST", "/pager", b"1")
    with file.open("a") as stream:
        stream.write('{"received_at": 1')

    with listening(Inbox(file)) as port:
        assert [1] == told(port)


def test_the_oldest_are_forgotten(file: Path) -> None:
    """Memory and file stay within their bounds, however many come."""
    inbox = Inbox(file, most_lines=5, most_bytes=1000)
    for number in range(200):
        inbox.take("pager", number, float(number))

    kept = [one["notification"] for one in json.loads(inbox.since(0))["notifications"]]
    assert list(range(195, 200)) == kept
    assert file.stat().st_size <= 2000
    assert kept == [
        one["notification"] for one in json.loads(Inbox(file, most_lines=5).since(0))["notifications"]
    ]


def test_a_full_disk_is_told_to_the_sender(tmp_path: Path) -> None:
    """Alertmanager then sends it again."""
    file = tmp_path / "notifications.jsonl"
    inbox = Inbox(file)
    file.mkdir()
    with listening(inbox) as port:
        assert 507 == ask(port, "POST", "/pager", b"1")[0]
        assert [] == told(port)
