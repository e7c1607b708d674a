"""Alerts reach the receiver that they should, by amtool and by a real Alertmanager."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.e2e.conftest import eventually
from tests.monitoring.files import ALERTMANAGER, RECEIVERS, Alert, alerts, yaml

from rollbook.sandbox.api import Sandbox

pytestmark = pytest.mark.sandbox
RECEIVER_BY_SEVERITY = {"critical": "pager", "warning": "tickets", "info": "tickets", "none": "nobody"}


def whole() -> dict[str, Any]:
    """The configuration with receivers that send somewhere, as a cluster would have it."""
    configuration = {**yaml(ALERTMANAGER), **yaml(RECEIVERS)}
    assert isinstance(configuration, dict)
    return configuration


def written(configuration: dict[str, Any], path: Path) -> Path:
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(configuration, stream)
    return path


def test_alertmanager_takes_its_configuration(sandbox: Sandbox, tmp_path: Path) -> None:
    """amtool finds nothing wrong, neither with the sandbox's file nor with receivers that send somewhere."""
    for path in (ALERTMANAGER, written(whole(), tmp_path / "whole.yaml")):
        done = subprocess.run(
            [sandbox.amtool, "check-config", path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_receivers_are_the_same_with_and_without_a_place_to_send_to() -> None:
    """receivers.yaml has the names of alertmanager.yaml, and no secret: each place is in a file."""
    named, sending = yaml(ALERTMANAGER)["receivers"], yaml(RECEIVERS)["receivers"]
    places = [place for one in sending for place in one.get("webhook_configs", ())]

    assert [one["name"] for one in named] == [one["name"] for one in sending]
    assert [] == [one["name"] for one in named if len(one) > 1]
    assert 2 == len(places)
    # Alertmanager takes a relative path from where it was started.
    assert [] == [place for place in places if not Path(place["url_file"]).is_absolute() or "url" in place]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_each_alert_has_its_receiver(sandbox: Sandbox, alert: Alert) -> None:
    """amtool leads critical alerts to the pager, others to tickets, and what only inhibits to nobody."""
    labels = [f"{name}={value}" for name, value in {**alert.labels, "alertname": alert.name}.items()]
    command: list[Path | str] = [
        sandbox.amtool,
        "config",
        "routes",
        "test",
        f"--config.file={ALERTMANAGER}",
        *labels,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert RECEIVER_BY_SEVERITY[alert.labels["severity"]] == done.stdout.strip()


def test_inhibition_names_alerts_that_exist() -> None:
    """Sources and targets of inhibition are alerts of the rules."""
    names, scopes = {alert.name for alert in alerts()}, {alert.labels.get("scope") for alert in alerts()}
    for rule in yaml(ALERTMANAGER)["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            label, wanted = (part.strip(' ~"') for part in matcher.split("=", 1))
            assert set(wanted.split("|")) <= (names if label == "alertname" else scopes)


def test_what_all_users_feel_is_never_held_back_by_an_abort() -> None:
    """No critical alert has the label by which an abort holds alerts back."""
    assert [] == [
        one.name for one in alerts() if one.labels["severity"] == "critical" and "scope" in one.labels
    ]


@dataclass
class Inbox:
    """What arrived by webhook: path, status, name and namespace of each alert."""

    got: list[tuple[str, str, str, str]] = field(default_factory=list)
    links: set[str] = field(default_factory=set)

    def take(self, path: str, message: dict[str, Any]) -> None:
        for one in message["alerts"]:
            labels = one["labels"]
            self.got.append((path, one["status"], labels["alertname"], labels["namespace"]))
            self.links.add(one["annotations"]["runbook_url"])


@contextmanager
def listening(inbox: Inbox) -> Iterator[str]:
    """A webhook on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            inbox.take(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running(sandbox: Sandbox, configuration: Path, storage: Path) -> Iterator[str]:
    """An Alertmanager of the test's own, of the sandbox's version."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [
            sandbox.amtool.parent / "alertmanager",
            f"--config.file={configuration}",
            f"--storage.path={storage}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually("Alertmanager is ready", lambda: ready(f"http://{address}/-/ready"), 30)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def send(url: str, *fired: tuple[str, str], end: bool = False) -> None:
    """Hand alerts over as Prometheus does: by name and namespace, with the labels of their rules."""
    by_name = {alert.name: alert for alert in alerts()}
    now = datetime.now(UTC)
    body = [
        {
            "labels": {**by_name[name].labels, "alertname": name, "namespace": namespace},
            "annotations": {"runbook_url": by_name[name].annotations["runbook_url"]},
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": (now - timedelta(seconds=1) if end else now + timedelta(minutes=5)).isoformat(),
        }
        for name, namespace in fired
    ]
    request = urllib.request.Request(  # noqa: S310
        f"{url}/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        assert answer.status == 200


def has(inbox: Inbox, *entries: tuple[str, str, str, str]) -> Callable[[], bool]:
    return lambda: set(entries) <= set(inbox.got)


def test_what_arrives_is_what_should(sandbox: Sandbox, tmp_path: Path) -> None:
    """A real Alertmanager holds symptoms of an aborted canary back and nothing else, and tells what ended.

    Its configuration is the project's, with receivers as a cluster has them; only waits and paths differ.
    """
    inbox = Inbox()
    configuration = whole()
    for route in (configuration["route"], *configuration["route"]["routes"]):
        route.update({"group_wait": "1s", "group_interval": "1s"})
    with listening(inbox) as webhook:
        for receiver in configuration["receivers"]:
            for place in receiver.get("webhook_configs", ()):
                place["url_file"] = str(tmp_path / Path(place["url_file"]).name)
                Path(place["url_file"]).write_text(f"{webhook}/{receiver['name']}")
        path = written(configuration, tmp_path / "alertmanager.yaml")
        with running(sandbox, path, tmp_path / "data") as url:
            # What holds back comes first, as rules without `for` fire before those that wait.
            send(url, ("RolloutAbortedRecently", "hello"), ("HelloErrorBudgetBurnsFast", "hello"))
            send(url, ("HelloErrorBudgetBurns", "shop"), ("RolloutStuck", "shop"))
            time.sleep(0.2)
            send(
                url,
                ("RolloutAborted", "hello"),
                ("HelloSlow", "hello"),
                ("HelloVersionFails", "hello"),
                ("HelloErrorBudgetBurns", "hello"),
                ("HelloErrorBudgetBurnsSlowly", "hello"),
                ("HelloSlow", "shop"),
                ("HelloErrorBudgetBurnsSlowly", "shop"),
                ("RolloutPausedTooLong", "shop"),
            )
            fired = {
                ("/pager", "firing", "HelloErrorBudgetBurnsFast", "hello"),
                ("/tickets", "firing", "RolloutAborted", "hello"),
                ("/tickets", "firing", "HelloSlow", "shop"),
                ("/tickets", "firing", "HelloErrorBudgetBurns", "shop"),
                ("/tickets", "firing", "RolloutStuck", "shop"),
            }
            eventually("all that should arrive does", has(inbox, *fired), 30)
            send(url, ("HelloSlow", "shop"), end=True)
            ended = ("/tickets", "resolved", "HelloSlow", "shop")
            eventually("the end of one arrives", has(inbox, ended), 30)

    assert fired | {ended} == set(inbox.got)
    assert {f"docs/runbooks/{name}.md" for _, _, name, _ in fired} == inbox.links
