"""The state file: what runs, written by the supervisor alone and read by everybody else."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rollbook.sandbox import processes
from rollbook.sandbox.files import write_json
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.units import BOOTSTRAP, Plan

SCHEMA = 1


class StateFile:
    """What the sandbox is like, written at each change. Thread-safe."""

    def __init__(self, plan: Plan) -> None:
        self._path = Path(plan.state)
        self._lock = threading.Lock()
        own = os.getpid()
        self._value: dict[str, Any] = {
            **plan.facts,
            "schema": SCHEMA,
            "id": plan.sandbox,
            "boot_id": plan.boot_id,
            "supervisor": {"pid": own, "started": processes.started_at(own)},
            "since": time.time(),
            "failure": "",
            "units": {
                unit.name: {
                    "state": "waiting",
                    "pid": 0,
                    "started": 0.0,
                    "since": time.time(),
                    "ready_s": 0.0,
                    "restarts": 0,
                    "last_exit": "",
                    "version": unit.version,
                    "endpoint": unit.endpoint,
                    "probe": vars(unit.probe),
                }
                for unit in plan.units
            },
            BOOTSTRAP: {"state": "waiting", "seconds": 0.0},
        }
        self._write()

    def unit(self, name: str, **changes: object) -> None:
        """Change facts of one unit; `since` moves when its state does."""
        with self._lock:
            unit = self._value["units"][name]
            if changes.get("state", unit["state"]) != unit["state"]:
                unit["since"] = time.time()
            unit.update(changes)
            self._write()

    def set(self, **changes: object) -> None:
        """Change facts of the sandbox."""
        with self._lock:
            self._value.update(changes)
            self._write()

    def _write(self) -> None:
        write_json(self._path, self._value)


def read_state(home: SandboxHome) -> Mapping[str, Any] | None:
    """The state that the supervisor wrote last; None when there is none or it is of another format."""
    try:
        value: Mapping[str, Any] = json.loads(home.state.read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and value.get("schema") == SCHEMA else None


def supervisor_runs(state: Mapping[str, Any]) -> bool:
    """Whether the process that wrote the state is still there."""
    supervisor = state["supervisor"]
    return state["boot_id"] == processes.boot_id() and processes.same_process(
        int(supervisor["pid"]), float(supervisor["started"])
    )
