"""Alerts by the receiver, and by Alertmanager's own list."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.evidence.kept import Kept
from tests.phases.fakes import HandClock

from rollbook.domain.alerting import AlertStatus
from rollbook.errors import EnvironmentFailedError
from rollbook.prometheus.alerts import ListedAlerts, ReceivedAlerts

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENDED = BEGAN + timedelta(minutes=2)
ZERO = "0001-01-01T00:00:00Z"


@dataclass
class Says:
    """What a server answers with, and what it was asked."""

    answer: Any = None
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)


@contextmanager
def server(says: Says) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            says.asked.append((parts.path, parse_qs(parts.query)))
            content = json.dumps(says.answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def notification(status: str, at: datetime, ends: str = ZERO) -> dict[str, Any]:
    alert = {
        "status": status,
        "labels": {"alertname": "RolloutAborted", "name": "hello"},
        "annotations": {"summary": "it was aborted"},
        "startsAt": BEGAN.isoformat(),
        "endsAt": ends,
    }
    body = {"version": "4", "receiver": "tickets", "alerts": [alert]}
    return {"received_at": at.timestamp(), "receiver": "tickets", "notification": body}


def listed(fingerprint: str = "a") -> dict[str, Any]:
    return {
        "fingerprint": fingerprint,
        "labels": {"alertname": "RolloutAborted"},
        "annotations": {},
        "startsAt": BEGAN.isoformat(),
        "updatedAt": (BEGAN + timedelta(seconds=1)).isoformat(),
        "endsAt": ENDED.isoformat(),
        "receivers": [{"name": "tickets"}],
        "status": {"state": "active", "inhibitedBy": [], "silencedBy": []},
    }


def test_notifications_become_alerts_with_their_times() -> None:
    """Firing without an end, resolved with one; somebody else's message is passed over."""
    over = notification("resolved", ENDED, ENDED.isoformat())
    strange = {"received_at": 1.0, "receiver": "x", "notification": "hello?"}
    says, kept = Says({"notifications": [strange, notification("firing", BEGAN), over]}), Kept()
    with server(says) as url:
        firing, resolved = ReceivedAlerts(url, "http://127.0.0.1:2", records=kept).received(BEGAN)

    assert ("RolloutAborted", "tickets", AlertStatus.FIRING) == (
        firing.alertname,
        firing.receiver,
        firing.status,
    )
    assert (BEGAN, None, BEGAN) == (firing.starts_at, firing.ends_at, firing.received_at)
    assert (AlertStatus.RESOLVED, ENDED) == (resolved.status, resolved.ends_at)
    assert firing.has({"name": "hello"})
    assert not firing.has({"name": "shop"})
    assert [("/notifications", {"since": [f"{BEGAN.timestamp():.6f}"]})] == says.asked
    assert ["alert-receiver"] == kept.systems
    assert ("notifications", "200") == (kept.all[0][0], kept.all[0][2])


def test_alertmanagers_list_tells_what_fires_and_what_does_no_more() -> None:
    """An alert that is listed no more is over, at the moment at which that was seen."""
    says, clock = Says([listed()]), HandClock()
    with server(says) as url:
        alerts = ListedAlerts(url, clock)
        (firing,) = alerts.received(BEGAN)
        assert [firing] == list(alerts.received(BEGAN))
        says.answer = []
        (over,) = alerts.received(BEGAN)
        assert () == alerts.received(clock.now() + timedelta(days=9999))

    assert (AlertStatus.FIRING, None) == (firing.status, firing.ends_at)
    assert BEGAN + timedelta(seconds=1) == firing.received_at
    assert (AlertStatus.RESOLVED, clock.now()) == (over.status, over.ends_at)
    assert {"/api/v2/alerts"} == {path for path, _ in says.asked}
    assert ["false"] == says.asked[0][1]["inhibited"]


def test_what_holds_an_alert_back_is_named() -> None:
    """Alertmanager names it by fingerprint; a silence of a person holds back as well."""
    held = {
        **listed("b"),
        "labels": {"alertname": "Fails", "namespace": "hello"},
        "status": {"state": "suppressed", "inhibitedBy": ["a", "gone"], "silencedBy": ["one"]},
    }
    says, kept = Says([listed("a"), held]), Kept()
    with server(says) as url:
        told, back = ReceivedAlerts("http://127.0.0.1:1", url, records=kept).listed()
        assert (told, back) == ListedAlerts(url, HandClock()).listed()

    assert ("RolloutAborted", ()) == (told.alertname, told.held_back_by)
    assert ("Fails", ("RolloutAborted", "gone", "silence")) == (back.alertname, back.held_back_by)
    assert (BEGAN, {"alertname": "Fails", "namespace": "hello"}) == (back.starts_at, back.labels)
    assert [("/api/v2/alerts", {})] * 2 == says.asked
    assert ["alertmanager"] == kept.systems


@pytest.mark.parametrize("answer", [[], {"notifications": [{}]}, {"notifications": 7}])
def test_what_is_no_receiver_is_told(answer: object) -> None:
    """Something else behind the URL is an error with its address, and no traceback."""
    with server(Says(answer)) as url, pytest.raises(EnvironmentFailedError, match="something else"):
        ReceivedAlerts(url, url).received(BEGAN)


def test_no_answer_is_told_and_kept() -> None:
    """A receiver that is away is no silence."""
    kept = Kept()
    with pytest.raises(EnvironmentFailedError, match="no answer"):
        ReceivedAlerts("http://127.0.0.1:1", "http://127.0.0.1:2", records=kept).received(BEGAN)

    assert ["no answer"] == [status for _, _, status, _ in kept.all]
