"""A canary that is cut off: users are back on stable, and the record says what happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.e2e.conftest import (
    BIN,
    PROJECT,
    Finished,
    command_of,
    entries_until,
    environment,
    eventually,
    kernels_of,
    kubectl,
    rollbook,
    run_folder,
)

from rollbook.evidence.journal import Entry, Kind
from rollbook.sandbox.api import Sandbox

pytestmark = pytest.mark.e2e


def at_twenty(entry: Entry) -> bool:
    """Whether Argo has just sent a fifth of the users to the canary."""
    return entry.kind is Kind.DECISION and entry.name == "weight" and entry.data["weight"] == 20


@contextmanager
def canary_at_twenty(out: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    """A canary by the command line that has users on the new version."""
    with log.open("w") as stderr:
        running = subprocess.Popen(
            [str(BIN / "rollbook"), "run", "--json", "--phase", "canary", "--out", str(out)],
            cwd=PROJECT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        try:
            entries_until(out, at_twenty)
            yield running
        finally:
            if running.poll() is None:
                running.kill()
            running.communicate()


def end_of(running: subprocess.Popen[str], log: Path) -> Finished:
    out, _ = running.communicate(timeout=240)
    return Finished(running.returncode, out, log.read_text())


def assert_back_on_stable(sandbox: Sandbox) -> None:
    def back() -> bool:
        rollout = kubectl(sandbox, "get", "rollout", "hello", "-n", "hello")
        route = kubectl(sandbox, "get", "traefikservice", "hello", "-n", "hello")
        weights = {one["name"]: one.get("weight", 0) for one in route["spec"]["weighted"]["services"]}
        told = rollout["status"]["canary"].get("weights", {}).get("canary", {}).get("weight", 0)
        return told == 0 and weights == {"hello-stable": 100, "hello-canary": 0}

    eventually("all users are on stable", back)


# What SIGTERM does is looked at in the suite by the deaths: see chaos/test_deaths.py.
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_brings_users_back_to_stable(
    release: Finished, sandbox: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    """SIGINT and SIGTERM in the middle: exit code 5, all traffic on stable, and a record that says so."""
    out, log = tmp_path / "reports", tmp_path / "log"
    with canary_at_twenty(out, log) as running:
        running.send_signal(number)
        ended = end_of(running, log)

    assert ended.code == 5, ended.err
    assert_back_on_stable(sandbox)
    run = json.loads((run_folder(out) / "run.json").read_text())
    assert [phase["outcome"] for phase in run["phases"]] == ["cancelled"]
    assert run["outcome"]["exit_code"] == 5
    assert (run_folder(out) / "report.html").is_file()
    assert "Traceback" not in ended.err


def test_a_kernel_that_is_killed_does_not_leave_users_behind(
    release: Finished, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The notebook dies without a word: the launcher brings traffic back and exits 4."""
    out, log = tmp_path / "reports", tmp_path / "log"
    with canary_at_twenty(out, log) as running:
        kernels = kernels_of(running.pid)
        assert len(kernels) == 1
        os.kill(kernels[0].pid, signal.SIGKILL)
        ended = end_of(running, log)

    assert ended.code == 4, ended.err
    assert_back_on_stable(sandbox)
    run = json.loads((run_folder(out) / "run.json").read_text())
    assert [phase["outcome"] for phase in run["phases"]] == ["failed"]
    assert "the kernel of canary died" in run["phases"][0]["sentence"]


def test_a_deadline_brings_users_back_to_stable(release: Finished, sandbox: Sandbox, tmp_path: Path) -> None:
    """A canary that takes longer than it may is interrupted: exit code 4, all traffic on stable."""
    # No moment of the canary is waited for: on a busy machine it may come after the deadline.
    out = tmp_path / "reports"

    ended = rollbook("run", "--json", "--phase", "canary", "--out", str(out), "--deadline", "12")

    assert ended.code == 4, ended.err
    assert_back_on_stable(sandbox)
    run = json.loads((run_folder(out) / "run.json").read_text())
    assert [phase["outcome"] for phase in run["phases"]] == ["failed"]
    assert "deadline of 12 s" in run["outcome"]["sentence"]


def test_no_traffic_goes_on_after_the_end(release: Finished, sandbox: Sandbox) -> None:
    """The processes that send users' requests have all ended."""

    def sends(process: psutil.Process) -> bool:
        try:
            ours = process.environ().get("ROLLBOOK_HOME") == str(sandbox.home.root)
        except psutil.Error:
            return False
        return ours and "rollbook.traffic.worker" in command_of(process)

    eventually("nobody sends any more", lambda: not any(map(sends, psutil.process_iter())))
