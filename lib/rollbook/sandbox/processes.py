"""Finds and ends processes by the sandbox's marker in their environment, whoever started them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

import psutil

from rollbook.sandbox.units import MARKER, POD_MARKER

PROC = Path("/proc")


def marked(prefix: str, *, pods: bool = True) -> tuple[int, ...]:
    """Processes whose marker begins with `prefix`, but this one; `pods=False` leaves out those of pods."""
    wanted = f"{MARKER}={prefix}".encode()
    pod = f"{POD_MARKER}=".encode()
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            # It ended just now, or it belongs to somebody else.
            continue
        if not any(variable.startswith(wanted) for variable in variables):
            continue
        if pods or not any(variable.startswith(pod) for variable in variables):
            found.append(int(entry.name))
    return tuple(sorted(found))


def end_marked(prefix: str, *, pods: bool = True, grace_s: float = 0.0, timeout_s: float = 10.0) -> int:
    """End them all: SIGTERM and `grace_s` seconds, then SIGKILL until none is left. How many there were.

    Looked for again and again, because one of them may start another meanwhile. Those that not even SIGKILL
    ends within `timeout_s` (stuck in the kernel) are left; ask `marked` afterwards.
    """
    seen: set[int] = set()
    deadline = time.monotonic() + timeout_s
    if grace_s > 0:
        first = marked(prefix, pods=pods)
        seen.update(first)
        for pid in first:
            _signal(pid, signal.SIGTERM)
        end = time.monotonic() + grace_s
        while time.monotonic() < end and any(runs(pid) for pid in first):
            time.sleep(0.02)
    while time.monotonic() < deadline:
        left = marked(prefix, pods=pods)
        if not left:
            break
        seen.update(left)
        for pid in left:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.02)
    # A process that is just ending has lost its environment, but may still hold its ports.
    while time.monotonic() < deadline and any(runs(pid) for pid in seen):
        time.sleep(0.01)
    return len(seen)


def wait_released(ports: Collection[int], timeout_s: float = 5.0) -> None:
    """Wait until no process that is just ending holds one of these TCP ports, at most `timeout_s` seconds.

    Such a process has lost its environment already, so `marked` cannot tell that it was ours; the kernel
    closes its sockets a moment later.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and any(_is_ending(pid) for pid in _listening(ports)):
        time.sleep(0.02)


def started_at(pid: int) -> float:
    """When a process started, seconds since the epoch; 0 when there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def same_process(pid: int, started: float) -> bool:
    """Whether that pid still is the process that started then, and is no zombie."""
    return runs(pid) and abs(started_at(pid) - started) < 0.5


def runs(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def memory_mib(pid: int) -> float:
    """Resident memory in MiB, shared pages included, as `top` shows it; 0 when the process is gone."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0


def boot_id() -> str:
    """Names the machine's current boot."""
    return (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()


def _listening(ports: Collection[int]) -> set[int | None]:
    """Who listens on them; None stands for somebody whom we may not see."""
    return {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port in ports
    }


def _is_ending(pid: int | None) -> bool:
    try:
        return pid is None or not (PROC / str(pid) / "environ").read_bytes()
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
