"""Drive rollbook as a user does: the command, its exit code, and what it leaves."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from rollbook.aws.clients import EMULATED_REGION
from rollbook.evidence.journal import Entry, read_journal
from rollbook.sandbox.api import Sandbox

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
KERNEL = "ipykernel_launcher"
GIVEN_UP_S = 120.0
"""How long a run that took too long may take to bring back what it was changing."""


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str
    left: Mapping[str, Any] = field(default_factory=dict)
    """The Rollout when it had ended; of the fixture `release` only."""
    secret: str = field(default="", repr=False)
    """What the service's secret was when it had ended, before a teardown took it; of the same."""

    @property
    def summary(self) -> dict[str, Any]:
        """What `--json` printed."""
        loaded = json.loads(self.out)
        assert isinstance(loaded, dict)
        return loaded

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.summary["folder"])


def environment(home: Path | None = None) -> dict[str, str]:
    """The environment of a command; `home` names another sandbox than the session's."""
    found = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    if home is not None:
        found["ROLLBOOK_HOME"] = str(home)
    return found


def eventually(what: str, holds: Callable[[], bool], timeout_s: float = 120.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"within {timeout_s:g} s it never came true that {what}"
        time.sleep(0.1)


def command_of(process: psutil.Process) -> str:
    """A process's command line; empty when it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def kernels_of(pid: int) -> list[psutil.Process]:
    """The kernels that a command has started."""
    return [one for one in psutil.Process(pid).children(recursive=True) if KERNEL in command_of(one)]


def rollbook(*arguments: str, home: Path | None = None, timeout_s: float = 600) -> Finished:
    """Run `rollbook ARGUMENTS` in the project and wait for its end.

    One that takes longer than `timeout_s` seconds is ended with all that it started, and the test fails with
    what it printed last: a line for each entry of its journal.
    """
    running = subprocess.Popen(
        [str(BIN / "rollbook"), *arguments],
        cwd=PROJECT,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = running.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        started = psutil.Process(running.pid).children(recursive=True)
        told = [f"{one.pid}: {command_of(one)[:120]}" for one in started]
        running.send_signal(signal.SIGINT)
        try:
            out, err = running.communicate(timeout=GIVEN_UP_S)
        except subprocess.TimeoutExpired:
            for one in (*started, running):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            out, err = running.communicate()
        last = "\n".join([*err.splitlines()[-40:], "--- it had started:", *told])
        pytest.fail(
            f"`rollbook {' '.join(arguments)}` did not end within {timeout_s:g} s:\n{last}", pytrace=False
        )
    return Finished(running.returncode, out, err)


def run_folder(out: Path) -> Path:
    """The only run beneath `out`."""
    folders = [path for path in out.iterdir() if (path / "run.json").is_file()]
    assert len(folders) == 1
    return folders[0]


def entries_until(out: Path, done: Callable[[Entry], bool], timeout_s: float = 240) -> tuple[Entry, ...]:
    """Read the journal of the run beneath `out` until an entry satisfies `done`."""
    deadline = time.monotonic() + timeout_s
    entries: tuple[Entry, ...] = ()
    while time.monotonic() < deadline:
        # The folder of a run is there a moment before its `run.json`.
        if any(out.glob("*/run.json")):
            entries = read_journal(run_folder(out) / "journal.jsonl")
            if any(done(entry) for entry in entries):
                return entries
        time.sleep(0.2)
    raise AssertionError(f"it never came; the last entries are {[entry.name for entry in entries[-5:]]}")


def kubectl(sandbox: Sandbox, *arguments: str) -> Mapping[str, Any]:
    """Ask the sandbox's cluster, past rollbook's own code."""
    done = subprocess.run(
        [str(sandbox.kubectl), "--kubeconfig", str(sandbox.kubeconfig), *arguments, "-o", "json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    loaded = json.loads(done.stdout)
    assert isinstance(loaded, dict)
    return loaded


def value_of_the_secret(sandbox: Sandbox) -> str:
    """The service's secret, as the emulated Secrets Manager has it."""
    client = boto3.client(
        "secretsmanager",
        endpoint_url=sandbox.endpoints.aws_endpoint_url,
        region_name=EMULATED_REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # what every emulator takes
    )
    return str(client.get_secret_value(SecretId="hello/config")["SecretString"])


@pytest.fixture(scope="session")
def release(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One whole `rollbook run` with no other argument than where to write, and the Rollout that it left.

    Other tests release more to the same sandbox later, whatever their order is.
    """
    done = rollbook("run", "--json", "--out", str(tmp_path_factory.mktemp("reports")))
    if done.code != 0:
        return done
    left = kubectl(sandbox, "get", "rollout", "hello", "-n", "hello")
    return replace(done, left=left, secret=value_of_the_secret(sandbox))
