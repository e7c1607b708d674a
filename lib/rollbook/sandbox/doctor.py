"""Whether this machine can build and run a sandbox; for `rollbook doctor`."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from rollbook.errors import RollbookError
from rollbook.sandbox import network, processes
from rollbook.sandbox.binaries import cached_binaries
from rollbook.sandbox.builder import NEEDED_DISK_BYTES, NEEDED_MEMORY_BYTES
from rollbook.sandbox.home import Cache, SandboxHome

RUN_DISK_BYTES = 2**30
RUN_MEMORY_BYTES = 2 * 2**30
OLDEST_PYTHON = (3, 11)
MACHINES = ("x86_64", "amd64", "aarch64", "arm64")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `next_step` is empty when it is well."""

    name: str
    ok: bool
    detail: str
    next_step: str = ""


def checks() -> tuple[Check, ...]:
    """Look at everything that a sandbox needs of this machine. Changes nothing, takes well under a second."""
    home, cache = SandboxHome.current(), Cache.current()
    built = cached_binaries(cache) is not None
    return (
        _python(),
        _system(),
        _installer(),
        _writable("sandbox folder", home.root, "ROLLBOOK_HOME"),
        _writable("cache folder", cache.root, "ROLLBOOK_CACHE"),
        _binaries(cache, built=built),
        _disk(cache, built=built),
        _memory(built=built),
        _proc(),
        _loopback(),
        _subnet(home),
        _leftovers(home),
    )


def _check(name: str, detail: str, *, ok: bool, otherwise: str) -> Check:
    return Check(name, ok, detail, "" if ok else otherwise)


def _python() -> Check:
    return _check(
        "Python",
        platform.python_version(),
        ok=sys.version_info[:2] >= OLDEST_PYTHON,
        otherwise="Install Python 3.11 or newer.",
    )


def _system() -> Check:
    return _check(
        "operating system",
        f"{platform.system()} {platform.machine()}",
        ok=platform.system() == "Linux" and platform.machine().lower() in MACHINES,
        otherwise="The sandbox needs Linux on x86-64 or ARM64: use a virtual machine.",
    )


def _installer() -> Check:
    has = [name for name in ("pip", "ensurepip") if importlib.util.find_spec(name) is not None]
    return _check(
        "installer",
        f"{has[0]} is there" if has else "neither pip nor ensurepip is there",
        ok=bool(has),
        otherwise="Install pip or your distribution's python3-venv.",
    )


def _writable(name: str, folder: Path, variable: str) -> Check:
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        probe = existing / f".rollbook-doctor-{id(folder)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Check(name, ok=False, detail=str(error), next_step=f"Name another folder in {variable}.")
    return Check(name, ok=True, detail=str(folder))


def _binaries(cache: Cache, *, built: bool) -> Check:
    # Not built yet is no fault: `up` builds.
    return Check(
        "binaries", ok=True, detail=f"in {cache.binaries}" if built else "not built yet: `up` does it"
    )


def _disk(cache: Cache, *, built: bool) -> Check:
    folder = cache.root
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    needed = RUN_DISK_BYTES if built else NEEDED_DISK_BYTES
    return _check(
        "disk space",
        f"{free / 2**30:.1f} GiB free, {needed / 2**30:.0f} GiB needed",
        ok=free >= needed,
        otherwise="Free some, or name a folder on another disk in ROLLBOOK_CACHE.",
    )


def _memory(*, built: bool) -> Check:
    available = psutil.virtual_memory().available
    needed = RUN_MEMORY_BYTES if built else NEEDED_MEMORY_BYTES
    return _check(
        "memory",
        f"{available / 2**30:.1f} GiB available, {needed / 2**30:.0f} GiB needed",
        ok=available >= needed,
        otherwise="Close something.",
    )


def _proc() -> Check:
    readable = Path("/proc/self/environ").is_file()
    return _check(
        "/proc",
        "processes can be listed" if readable else "processes cannot be listed",
        ok=readable,
        otherwise="Mount /proc: the sandbox finds its processes there.",
    )


def _loopback() -> Check:
    ok = network.can_bind("127.0.0.1") and network.can_bind("127.200.3.4")
    return _check(
        "loopback network",
        "every address of 127.0.0.0/8 can be listened on" if ok else "127.200.3.4 cannot be listened on",
        ok=ok,
        otherwise="Pods need addresses of their own: allow all of 127.0.0.0/8 on the loopback interface.",
    )


def _subnet(home: SandboxHome) -> Check:
    try:
        subnet = network.free_subnet(home.tag)
    except RollbookError as error:
        return Check("subnet", ok=False, detail=error.what, next_step="End what listens on port 10250 there.")
    return Check("subnet", ok=True, detail=f"{subnet}.0.0/16 is free, port {network.NODE_PORT} too")


def _leftovers(home: SandboxHome) -> Check:
    running = processes.marked(home.tag)
    stray = bool(running) and not home.state.exists()
    return _check(
        "left-over processes",
        f"{len(running)} without a sandbox" if stray else f"none ({len(running)} of the sandbox)",
        ok=not stray,
        otherwise="Run `rollbook sandbox down`.",
    )
