"""The process that starts a sandbox's components and starts again what dies; the state file tells how it is.

`python -m rollbook.sandbox.supervisor PLAN`. It is detached from whoever ran `up`, and ends on SIGTERM with
all its components. Pods are not its children: they outlive it, as they outlive a kubelet.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from rollbook.sandbox.probing import answers, unserved
from rollbook.sandbox.processes import started_at
from rollbook.sandbox.state import StateFile
from rollbook.sandbox.units import BOOTSTRAP, Plan, Unit, read_plan

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_AFTER_S = 60.0
"""A component that ran this long starts from the first delay again."""

PROBE_EVERY_S = 0.05
STOP_GRACE_S = 1.0
"""Whatever they would still write is thrown away by `down` anyway."""

LOG_LIMIT_BYTES = 10 * 2**20
LOG_CHECK_EVERY_S = 5.0
SERVED_TIMEOUT_S = 90.0


def next_delay(delay_s: float, ran_s: float) -> float:
    """Seconds to wait before the next start: doubled each time, from the start again after a steady run."""
    if ran_s >= STEADY_AFTER_S or delay_s == 0.0:
        return FIRST_DELAY_S
    return min(LONGEST_DELAY_S, delay_s * 2)


class UnitRunner(threading.Thread):
    """Keeps one unit running."""

    def __init__(self, unit: Unit, supervisor: Supervisor) -> None:
        super().__init__(name=unit.name, daemon=True)
        self.unit = unit
        self.ready = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self._supervisor = supervisor
        self._state = supervisor.state

    def run(self) -> None:
        """Wait for what the unit needs, then start it again and again until the sandbox stops."""
        for need in self.unit.needs:
            if not self._supervisor.wait_for(need):
                return
        delay = 0.0
        restarts = 0
        while not self._supervisor.stopping.is_set():
            began = time.monotonic()
            exit_text = self._run_once(began)
            if self._supervisor.stopping.is_set():
                return
            delay = next_delay(delay, time.monotonic() - began)
            restarts += 1
            self._state.unit(
                self.unit.name, state="restarting", pid=0, restarts=restarts, last_exit=exit_text
            )
            self._supervisor.stopping.wait(delay)

    def _run_once(self, began: float) -> str:
        try:
            self.process = self._start()
        except OSError as error:
            return f"could not be started: {error}"
        process = self.process
        pid = process.pid
        self._state.unit(self.unit.name, state="starting", pid=pid, started=started_at(pid))
        watcher = threading.Thread(target=self._watch_readiness, args=(process, began), daemon=True)
        watcher.start()
        code = process.wait()
        watcher.join()
        self.ready.clear()
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _start(self) -> subprocess.Popen[bytes]:
        log = Path(self.unit.log)
        cap_log(log)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as stream:
            return subprocess.Popen(
                self.unit.argv,
                env=dict(self.unit.environment),
                cwd=self.unit.cwd,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _watch_readiness(self, process: subprocess.Popen[bytes], began: float) -> None:
        while process.poll() is None and not self._supervisor.stopping.is_set():
            if not answers(self.unit.probe):
                self.ready.set()
                ready_s = round(time.monotonic() - began, 3)
                self._state.unit(self.unit.name, state="ready", ready_s=ready_s)
                return
            time.sleep(PROBE_EVERY_S)


class Supervisor:
    """Runs a plan until it is told to stop."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.stopping = threading.Event()
        self.state = StateFile(plan)
        self._bootstrapped = threading.Event()
        self._runners = {unit.name: UnitRunner(unit, self) for unit in plan.units}

    def wait_for(self, need: str) -> bool:
        """Wait until a unit or the task is ready; False when the sandbox stops before."""
        event = self._bootstrapped if need == BOOTSTRAP else self._runners[need].ready
        while not self.stopping.is_set():
            if event.wait(0.2):
                return True
        return False

    def run(self) -> None:
        """Start everything, wait for SIGTERM, stop everything."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())
        for runner in self._runners.values():
            runner.start()
        threading.Thread(target=self._bootstrap, daemon=True).start()
        while not self.stopping.wait(LOG_CHECK_EVERY_S):
            for unit in self.plan.units:
                cap_log(Path(unit.log))
        self._stop()

    def _bootstrap(self) -> None:
        if not self.wait_for("kube-apiserver"):
            return
        began = time.monotonic()
        self.state.set(**{BOOTSTRAP: {"state": "starting", "seconds": 0.0}})
        missing = "not asked yet"
        while missing and not self.stopping.wait(PROBE_EVERY_S):
            missing = unserved(self.plan.apiserver, self.plan.served)
            if missing and time.monotonic() - began > SERVED_TIMEOUT_S:
                self.state.set(
                    failure=missing, **{BOOTSTRAP: {"state": "failed", "seconds": SERVED_TIMEOUT_S}}
                )
                return
        self._bootstrapped.set()
        self.state.set(**{BOOTSTRAP: {"state": "ready", "seconds": round(time.monotonic() - began, 3)}})

    def _stop(self) -> None:
        processes = [runner.process for runner in self._runners.values() if runner.process is not None]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + STOP_GRACE_S
        while time.monotonic() < deadline and any(process.poll() is None for process in processes):
            time.sleep(0.02)
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def cap_log(path: Path, *, limit: int = LOG_LIMIT_BYTES) -> None:
    """Keep the second half of a log that has outgrown its limit, from a whole line on.

    The file stays the same one: its writer has it open, and appends behind our cut.
    Lines written during the cut itself may be lost.
    """
    try:
        size = path.stat().st_size
        if size <= limit:
            return
        with path.open("r+b") as stream:
            stream.seek(size - limit // 2)
            stream.readline()
            kept = stream.read()
            stream.seek(0)
            stream.write(kept)
            stream.truncate()
    except FileNotFoundError:
        return


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the supervisor's process."""
    parser = argparse.ArgumentParser(prog="rollbook-sandbox-supervisor")
    parser.add_argument("plan", type=Path)
    options = parser.parse_args(arguments)
    plan = read_plan(options.plan)
    detach()
    Supervisor(plan).run()
    return 0


def detach() -> None:
    """Go on as a process of a session of its own; the one that was started ends with 0 at once."""
    if os.fork():
        os._exit(0)
    os.setsid()


if __name__ == "__main__":
    sys.exit(main())
