from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest
from aiohttp import web

from rollbook.sandbox.agent.actions import Outcome, Surroundings, perform
from rollbook.sandbox.agent.paths import HostPaths
from rollbook.sandbox.agent.podspec import ExecAction, HttpAction, Probe, SleepAction, TcpAction
from rollbook.sandbox.agent.probes import Tally, watch_probe


def probe(kind: str = "readiness", *, success: int = 1, failure: int = 3) -> Probe:
    """A probe that is due every few milliseconds."""
    return Probe(kind, SleepAction(0), 0.0, 0.002, 1.0, success, failure, None)


@pytest.mark.parametrize(
    ("success", "failure", "outcomes", "verdicts"),
    [
        (1, 3, "+", [True]),
        (1, 3, "---", [None, None, False]),
        (1, 3, "+--+", [True, True, True, True]),
        (1, 3, "+---+", [True, True, True, False, True]),
        (2, 1, "+-++", [None, False, False, True]),
        (3, 2, "++-+++", [None, None, None, None, None, True]),
    ],
)
def test_thresholds(success: int, failure: int, outcomes: str, verdicts: list[bool | None]) -> None:
    """The verdict changes only after enough equal outcomes in a row."""
    tally, seen = Tally(), []
    for outcome in outcomes:
        tally = tally.add(probe(success=success, failure=failure), ok=outcome == "+")
        seen.append(tally.verdict)
    assert verdicts == seen


def watched(kind: str, outcomes: list[bool]) -> list[bool | None]:
    """Verdicts told while a probe is watched, until it asks for more outcomes or ends by itself."""
    told: list[bool | None] = []
    left = list(outcomes)

    async def go() -> None:
        asks_on = asyncio.Event()

        async def check(_probe: Probe) -> Outcome:
            if not left:
                asks_on.set()
                await asyncio.Event().wait()
            return Outcome(left.pop(0))

        watch = asyncio.create_task(
            watch_probe(probe(kind), 0.0, check, lambda _p, _o, tally: told.append(tally.verdict))
        )
        more = asyncio.create_task(asks_on.wait())
        await asyncio.wait({watch, more}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        if asks_on.is_set():
            told.append(None)
        more.cancel()
        watch.cancel()

    asyncio.run(go())
    return told


def test_startup_ends() -> None:
    """A startup probe is not asked again once it has passed."""
    assert watched("startup", [False, True, False]) == [None, True]


def test_readiness_goes_on() -> None:
    """A readiness probe is asked for as long as the container runs."""
    assert watched("readiness", [True, False, False, False]) == [True, True, True, False, None]


def here(tmp_path: Path, ports: dict[str, int] | None = None) -> Surroundings:
    """Surroundings of a container without files."""
    return Surroundings(
        "127.0.0.1", ports or {}, HostPaths(tmp_path, {}, tmp_path), {"PATH": "/usr/bin:/bin"}, tmp_path
    )


async def answer(request: web.Request) -> web.Response:
    """Well, elsewhere, or ill, by path; only to those who send the header."""
    assert request.headers["X-A"] == "1"
    answers = {"ok": web.Response(), "moved": web.Response(status=302, headers={"Location": "/gone"})}
    return answers.get(request.match_info["name"], web.Response(status=503, text="not yet"))


def test_http(tmp_path: Path) -> None:
    """2xx and 3xx are well, all else is not, and the answer is told."""

    async def go() -> list[Outcome]:
        app = web.Application()
        app.router.add_get("/{name}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ports = {"http": runner.addresses[0][1]}
        actions = [
            HttpAction(path, "http", "", "HTTP", (("X-A", "1"),)) for path in ("/ok", "/moved", "/bad")
        ]
        outcomes = [await perform(action, here(tmp_path, ports), 60.0) for action in actions]
        outcomes.append(await perform(TcpAction("http", ""), here(tmp_path, ports), 60.0))
        await runner.cleanup()
        return outcomes

    ok, moved, bad, tcp = asyncio.run(go())
    assert (ok.ok, moved.ok, tcp.ok) == (True, True, True)
    assert Outcome(ok=False, detail="HTTP probe failed with statuscode: 503: not yet") == bad


@pytest.mark.parametrize(
    ("action", "detail", "timeout_s"),
    [
        (TcpAction(1, ""), "refused|failed", 60.0),
        (TcpAction("nope", ""), "no port named 'nope'", 60.0),
        (ExecAction((sys.executable, "-c", "print('why'); raise SystemExit(3)")), "why", 60.0),
        (ExecAction(("sh", "-c", "exit 3")), "exit code 3", 60.0),
        (ExecAction(("no-such-program",)), "is not there", 60.0),
        (ExecAction(("sleep", "300")), "timed out", 0.5),
        (
            HttpAction("/", 1, "", "HTTP", ()),
            "cannot connect to 127.0.0.1:1: Connect call failed|refused",
            60.0,
        ),
    ],
)
def test_failures(
    tmp_path: Path, action: TcpAction | ExecAction | HttpAction, detail: str, timeout_s: float
) -> None:
    """Whatever goes wrong is an outcome that says what."""
    outcome = asyncio.run(perform(action, here(tmp_path), timeout_s))
    assert not outcome.ok
    assert re.search(detail, outcome.detail)


def test_exec(tmp_path: Path) -> None:
    """A command that ends with 0 is well."""
    assert asyncio.run(perform(ExecAction(("true",)), here(tmp_path), 60.0)).ok
