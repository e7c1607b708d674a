"""Waits until a sandbox is ready, and says why when it does not come up."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.progress import Progress
from rollbook.sandbox.state import read_state
from rollbook.sandbox.units import BOOTSTRAP

READY_TIMEOUT_S = 120.0
HOPELESS_RESTARTS = 4
"""A component that ended this often before it was ready once will not come up by waiting."""

POLL_S = 0.05
LOG_TAIL_LINES = 5


def wait_ready(home: SandboxHome, progress: Progress, *, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Wait until all components are ready.

    EnvironmentFailedError with the last log lines of one that is not.
    """
    deadline = time.monotonic() + timeout_s
    told: set[str] = set()
    waiting = "the supervisor"
    while time.monotonic() < deadline:
        state = read_state(home)
        if state is not None:
            if state["failure"]:
                raise EnvironmentFailedError("the sandbox could not be prepared", why=str(state["failure"]))
            states = {name: unit["state"] for name, unit in state["units"].items()}
            states[BOOTSTRAP] = state[BOOTSTRAP]["state"]
            for name, unit in state["units"].items():
                if unit["state"] == "ready" and name not in told:
                    told.add(name)
                    progress.say(f"{name} {unit['version']} ready after {unit['ready_s']:.1f} s")
                if unit["restarts"] >= HOPELESS_RESTARTS and unit["state"] != "ready":
                    raise _not_ready(home, name, f"ended {unit['restarts']} times: {unit['last_exit']}")
            pending = [name for name, value in states.items() if value != "ready"]
            if not pending:
                return
            waiting = ", ".join(pending)
            progress.now(f"waiting for {waiting}")
        time.sleep(POLL_S)
    raise _not_ready(home, waiting.split(", ", maxsplit=1)[0], f"not ready within {timeout_s:.0f} s")


def _not_ready(home: SandboxHome, name: str, what: str) -> EnvironmentFailedError:
    lines = tail(home.log(name), LOG_TAIL_LINES)
    told = "".join(f"\n  {line[:300]}" for line in lines)
    return EnvironmentFailedError(
        f"{name} did not come up",
        why=what + (f"; its log ends with{told}\n" if told else ""),
        next_step=f"`rollbook sandbox logs {name}` shows all of it.",
    )


def tail(path: Path, count: int) -> list[str]:
    """Last lines of a log; none when there is no log."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 400 * count - 4096))
            return stream.read().decode(errors="replace").splitlines()[-count:] if count > 0 else []
    except OSError:
        return []
