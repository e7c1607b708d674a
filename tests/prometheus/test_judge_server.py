"""`rollbook judge serve`: a canary judged anew at each question."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.judge.asking import COUNTER, SIDE
from rollbook.judge.canary import Rules
from rollbook.ports import Series
from rollbook.prometheus.judge_server import JudgeServer, serve
from rollbook.prometheus.verdicts import LOOKS, Verdicts
from rollbook.settings.service_file import load_counters

NOW = 1_700_000_000.0
COUNTERS = {"shop": {"requests": "r", "errors": "e"}}


@dataclass
class History:
    """Prometheus that has counted 40 requests of stable a second, and 10 of the canary for the last 35 s."""

    canary_errors: int = 0
    away: bool = False
    steps: list[float] = field(default_factory=list)

    def range(self, query: str, *, start: datetime, end: datetime, step_s: float) -> tuple[Series, ...]:
        if self.away:
            raise EnvironmentFailedError("no answer from Prometheus", why="it is away")
        self.steps.append(step_s)
        begins, ends = start.timestamp(), end.timestamp()
        times = [begins + number * step_s for number in range(int((ends - begins) // step_s) + 1)]
        both = [(at, max(0.0, at - (NOW - 35.0))) for at in times]
        rates = {("stable", "requests"): 40, ("stable", "errors"): 0}
        rates |= {("canary", "requests"): 10, ("canary", "errors"): self.canary_errors}
        return tuple(
            Series(
                {SIDE: side, COUNTER: counter},
                tuple(
                    (at, rate * (at - begins if side == "stable" else since))
                    for at, since in both
                    if side == "stable" or since > 0
                ),
            )
            for (side, counter), rate in rates.items()
        )


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def url(history: History) -> Iterator[str]:
    """A server on a port of its own."""
    verdicts = Verdicts(history, lambda: COUNTERS, Rules(margin=0.05), now=lambda: NOW)  # type: ignore[arg-type]
    with JudgeServer(verdicts, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


def ask(url: str, **given: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer."""
    asked = {"namespace": "shop", "stable": "aaaa", "canary": "bbbb", "start": str(NOW - 60.0), **given}
    try:
        asked_url = f"{url}/judge?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(asked_url, timeout=60) as response:  # noqa: S310 - loopback
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_faulty_canary_is_harmful_at_each_question(url: str, history: History) -> None:
    """Nothing is kept: the same question has the same answer."""
    history.canary_errors = 2

    first, second = ask(url), ask(url)

    assert (200, "harmful") == (first[0], first[1]["verdict"])
    assert first == second
    assert {"verdict", "e_value", "p_value", "sentence"} == set(first[1]["brief"])
    assert {"errors", "split"} == set(first[1]["metrics"])
    assert ["split", "latency", "memory"] == first[1]["unjudged"]


def test_a_healthy_canary_is_safe(url: str) -> None:
    """Its requests are those since it began."""
    status, found = ask(url)

    assert (200, "safe", 0) == (status, found["verdict"], found["counts"]["canary_errors"])


def test_a_canary_that_nobody_asked_is_no_data(url: str) -> None:
    """A beginning a moment ago is no error."""
    history = History()
    verdicts = Verdicts(history, lambda: COUNTERS, Rules(), now=lambda: NOW - 50.0)  # type: ignore[arg-type]

    found = verdicts.answer({"namespace": "shop", "stable": "a", "canary": "b", "start": str(NOW - 51.0)})

    assert "no-data" == found["verdict"]


@pytest.mark.parametrize(
    "given",
    [
        {"canary": ""},
        {"stable": 'a"} or vector(1)'},
        {"namespace": "Shop"},
        {"start": "yesterday"},
        {"start": str(NOW + 60)},
        {"start": "0"},
        {"start": "nan"},
    ],
)
def test_a_question_that_cannot_be_is_refused(url: str, given: dict[str, str]) -> None:
    """400, with what is wrong; nothing of it reaches a query."""
    status, found = ask(url, **given)

    assert (400, "no-data") == (status, found["verdict"])
    assert found["error"]


def test_another_namespace_is_not_known(url: str) -> None:
    """404: the file names no such service."""
    assert 404 == ask(url, namespace="other")[0]


def test_without_prometheus_there_is_no_verdict(url: str, history: History) -> None:
    """503, and no-data: Argo takes it as an error of the measurement, not as a failure of the canary."""
    history.away = True

    status, found = ask(url)

    assert (503, "no-data") == (status, found["verdict"])


def test_a_long_canary_is_looked_at_less_often(url: str, history: History) -> None:
    """A question costs as much as that many looks, however long ago it began."""
    ask(url, start=str(NOW - 86_400.0))

    assert [pytest.approx(86_400.0 / LOOKS, rel=0.01)] == history.steps


@pytest.mark.parametrize("bind", ["9797", "localhost", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_refused(history: History, bind: str) -> None:
    """Host and port are needed."""
    verdicts = Verdicts(history, lambda: COUNTERS, Rules())  # type: ignore[arg-type]

    with pytest.raises(BadInputError):
        serve(verdicts, bind, lambda _url: None)


def test_counters_are_read_of_files_and_of_folders(tmp_path: Path) -> None:
    """A service file is one; what else is in it does not matter."""
    text = "namespace: {0}\ncounters: {{requests: r, errors: e, latencyBuckets: b}}\nother: 1\n"
    for name in ("shop", "stock"):
        (tmp_path / f"{name}.yaml").write_text(text.format(name))

    one = load_counters(tmp_path / "shop.yaml")

    assert {"shop": {"requests": "r", "errors": "e", "latency_buckets": "b"}} == one
    assert {"shop", "stock"} == set(load_counters(tmp_path))
