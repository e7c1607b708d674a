"""The supervisor, run for real on small units: starts in order, starts again, stops all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.sandbox import network, processes
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.state import read_state, supervisor_runs
from rollbook.sandbox.supervisor import FIRST_DELAY_S, LONGEST_DELAY_S, STEADY_AFTER_S, cap_log, next_delay
from rollbook.sandbox.units import BOOTSTRAP, MARKER, Plan, Probe, Unit, read_plan

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def unit(home: SandboxHome, name: str, port: int, *, needs: tuple[str, ...] = ()) -> Unit:
    """A unit that answers every GET with 200."""
    return Unit(
        name=name,
        version="1",
        argv=(sys.executable, "-S", "-c", SERVER, str(port)),
        environment={MARKER: f"{home.tag}-test"},
        cwd=str(home.root),
        log=str(home.log(name)),
        probe=Probe(f"http://127.0.0.1:{port}/ready"),
        needs=needs,
    )


def until(condition: Callable[[], object], *, timeout_s: float = 90.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def state_of(home: SandboxHome) -> dict[str, Any]:
    """The state, empty before there is one."""
    return dict(read_state(home) or {})


def all_ready(home: SandboxHome) -> bool:
    """Whether every unit is ready."""
    units = state_of(home).get("units", {})
    return bool(units) and all(one["state"] == "ready" for one in units.values())


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[SandboxHome]:
    """A supervisor with an API server stand-in and a unit that needs what it serves; ended at the end."""
    home = SandboxHome(tmp_path / "home")
    home.create()
    ports = network.free_ports(("a", "b"))
    server = unit(home, "kube-apiserver", ports["a"])
    plan = Plan(
        sandbox=f"{home.tag}-test",
        boot_id=processes.boot_id(),
        state=str(home.state),
        units=(server, unit(home, "edge", ports["b"], needs=(BOOTSTRAP,))),
        apiserver=server.probe,
        served=("/apis/example.test/v1/things",),
        facts={"versions": {"edge": "1"}},
    )
    home.plan.write_bytes(plan.to_json())
    environment = {**os.environ, MARKER: f"{home.tag}-test"}
    command = [sys.executable, "-m", "rollbook.sandbox.supervisor", str(home.plan)]
    subprocess.run(command, env=environment, check=True, timeout=180)
    until(lambda: all_ready(home))
    yield home
    processes.end_marked(home.tag)


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    """What is read is what was written."""
    home = SandboxHome(tmp_path)
    one = unit(home, "a", 1, needs=("b", BOOTSTRAP))
    plan = Plan("id", "boot", "state", (one,), one.probe, ("/apis/x",), {"subnet": "127.70"})
    home.plan.write_bytes(plan.to_json())
    assert plan == read_plan(home.plan)


def test_a_unit_is_started_when_what_it_needs_is_ready(supervised: SandboxHome) -> None:
    """The edge comes after the custom resources, which come after the API server."""
    units = state_of(supervised)["units"]
    assert units["kube-apiserver"]["since"] <= units["edge"]["since"]
    assert "ready" == state_of(supervised)[BOOTSTRAP]["state"]


def test_a_unit_that_dies_is_started_again_and_told(supervised: SandboxHome) -> None:
    """The state names the signal and counts the restarts."""
    before = state_of(supervised)["units"]["edge"]
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: state_of(supervised)["units"]["edge"]["restarts"] == 1 and all_ready(supervised))
    after = state_of(supervised)["units"]["edge"]
    assert "signal 9" == after["last_exit"]
    assert before["pid"] != after["pid"]


def test_the_supervisor_is_detached_and_marked(supervised: SandboxHome) -> None:
    """It belongs to no terminal and to none of its starters, and can be found by its marker."""
    pid = state_of(supervised)["supervisor"]["pid"]
    assert pid == os.getsid(pid)
    assert pid in processes.marked(supervised.tag)
    assert supervisor_runs(state_of(supervised))


def test_sigterm_ends_the_supervisor_and_its_units(supervised: SandboxHome) -> None:
    """Nothing that it started is left."""
    os.kill(state_of(supervised)["supervisor"]["pid"], signal.SIGTERM)
    until(lambda: not supervisor_runs(state_of(supervised)))
    until(lambda: processes.marked(supervised.tag) == ())


def test_units_of_a_killed_supervisor_are_found(supervised: SandboxHome) -> None:
    """Processes are found by their marker, whoever their parent is."""
    os.kill(state_of(supervised)["supervisor"]["pid"], signal.SIGKILL)
    until(lambda: len(processes.marked(supervised.tag)) == 2)
    assert 2 == processes.end_marked(supervised.tag)
    assert () == processes.marked(supervised.tag)


def test_logs_hold_what_a_unit_wrote(supervised: SandboxHome) -> None:
    """Output goes to the unit's own log, closed to others."""
    log = supervised.log("edge")
    assert "serving\n" == log.read_text()
    assert 0o600 == log.stat().st_mode & 0o777


def test_state_is_closed_to_others_and_whole(supervised: SandboxHome) -> None:
    """The state file is replaced at once, so that a reader never sees half of it."""
    assert 0o600 == supervised.state.stat().st_mode & 0o777
    assert 1 == json.loads(supervised.state.read_text())["schema"]


@given(st.lists(st.floats(min_value=0, max_value=600), max_size=30))
def test_delays_stay_between_their_bounds(runs: list[float]) -> None:
    """However a unit behaves, it is started again after half a second at least and half a minute at most."""
    delay = 0.0
    for ran_s in runs:
        before, delay = delay, next_delay(delay, ran_s)
        assert FIRST_DELAY_S <= delay <= LONGEST_DELAY_S
        assert delay == FIRST_DELAY_S if ran_s >= STEADY_AFTER_S else delay >= before


def test_a_log_that_outgrows_its_limit_keeps_its_end(tmp_path: Path) -> None:
    """Whole lines of the newest half are kept, and a writer that appends goes on."""
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"".join(b"line %05d\n" % number for number in range(1000)))
        cap_log(log, limit=2000)
        writer.write(b"after\n")
    lines = log.read_text().splitlines()
    assert log.stat().st_size <= 1100
    assert ("line 00999", "after") == (lines[-2], lines[-1])
    assert all(len(line) == len("line 00000") for line in lines[:-1])


def test_a_log_within_its_limit_is_left_alone(tmp_path: Path) -> None:
    """Nothing is lost without need, and a missing log is no error."""
    log = tmp_path / "a.log"
    log.write_text("one\n")
    cap_log(log, limit=100)
    cap_log(tmp_path / "missing.log")
    assert "one\n" == log.read_text()
