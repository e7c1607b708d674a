"""Starts, mends and stops a sandbox."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox import external_secrets, network, processes
from rollbook.sandbox.binaries import Binaries
from rollbook.sandbox.builder import ensure_binaries
from rollbook.sandbox.components import all_units
from rollbook.sandbox.control_plane import SERVICE_IP, admin_probe
from rollbook.sandbox.extras import BuiltExtra, ensure_extra, known
from rollbook.sandbox.files import remove_tree, write_private
from rollbook.sandbox.home import Cache, SandboxHome
from rollbook.sandbox.manifests import custom_resource_paths
from rollbook.sandbox.parts import Parts
from rollbook.sandbox.pki import Pki, create_pki
from rollbook.sandbox.progress import Progress
from rollbook.sandbox.readiness import tail, wait_ready
from rollbook.sandbox.recipe import PATCHES
from rollbook.sandbox.reloading import reload_monitoring
from rollbook.sandbox.rendering import render_all, render_monitoring
from rollbook.sandbox.seed import ensure_seed, plant
from rollbook.sandbox.state import read_state, supervisor_runs
from rollbook.sandbox.toolchain import ministack_folder, traefik_binary
from rollbook.sandbox.units import MARKER, Plan, read_plan

SUPERVISOR_STOP_S = 6.0


def start(
    home: SandboxHome,
    cache: Cache,
    monitoring: Path | None,
    progress: Progress,
    extras: tuple[str, ...] = (),
) -> None:
    """Bring the sandbox up, mend it, or find it up; return when every component is ready.

    A sandbox that is up has the `extras` that it was started with; another one cannot be added to it.

    Interrupted or failed, a sandbox that was started by this call is gone again. Raises BuildFailedError,
    BadInputError (no monitoring folder, no such extra) and EnvironmentFailedError.
    """
    asked = known(extras)
    home.create()
    binaries = ensure_binaries(cache, progress)
    built = tuple(ensure_extra(name, cache, progress) for name in asked)
    tools = (traefik_binary(cache, progress), ministack_folder(cache, progress))
    with _locked(home, progress):
        state = read_state(home)
        lacking = tuple(name for name in asked if state is None or name not in state.get("extras", ()))
        if state is not None and supervisor_runs(state):
            _refuse(lacking)
            _refresh(home, state, binaries, tools, monitoring, progress)
            return
        leftovers = processes.marked(home.tag)
        try:
            known_before = state if not lacking else None
            if known_before is None or not _mend(home, known_before, binaries, tools, monitoring, progress):
                count = len(leftovers)
                _start_new(home, cache, binaries, tools, monitoring, progress, built, leftovers=count)
            wait_ready(home, progress)
        except BaseException:
            # Ctrl-C included: nothing is left running.
            _end(home)
            raise


def stop(home: SandboxHome, progress: Progress) -> int:
    """End every process of this home's sandboxes and remove their files, logs and port numbers excepted.

    Returns how many processes there were; 0 when there was nothing to do.
    """
    if not home.root.is_dir():
        return 0
    with _locked(home, progress):
        return _end(home)


def _refuse(lacking: tuple[str, ...]) -> None:
    """Refuse to add extras to a sandbox that is up: its store was prepared without their definitions."""
    if lacking:
        raise EnvironmentFailedError(
            f"the sandbox that is up was started without {', '.join(lacking)}",
            next_step="Run `rollbook sandbox down` first; what is in it is lost.",
        )


def _refresh(
    home: SandboxHome,
    state: Mapping[str, Any],
    binaries: Binaries,
    tools: tuple[Path, Path],
    monitoring: Path | None,
    progress: Progress,
) -> None:
    """A sandbox that is up: wait for what is being restarted, and load the rules as they are now."""
    if state["binaries_key"] != binaries.key:
        raise EnvironmentFailedError(
            "the sandbox that is up was started by another version of rollbook",
            next_step="Run `rollbook sandbox down` first.",
        )
    wait_ready(home, _OnlyNow(progress))
    reload_monitoring(_parts(home, state["id"], _addresses(state), binaries, tools), monitoring)


def _mend(
    home: SandboxHome,
    state: Mapping[str, Any],
    binaries: Binaries,
    tools: tuple[Path, Path],
    monitoring: Path | None,
    progress: Progress,
) -> bool:
    """Start the supervisor of a half-up sandbox again with its data; its pods are left running and adopted.

    False when that cannot be: another boot of the machine, another build, a file missing, a port taken.
    """
    if state["boot_id"] != processes.boot_id() or state["binaries_key"] != binaries.key:
        return False
    try:
        read_plan(home.plan)
    except (OSError, ValueError, TypeError, KeyError):
        return False
    progress.say("the sandbox's supervisor is gone: mending the sandbox")
    processes.end_marked(home.tag, pods=False)
    addresses = _addresses(state)
    processes.wait_released(frozenset(addresses.ports.values()))
    names = tuple(dict.fromkeys((*network.PORTS, *addresses.ports)))
    if network.free_ports(names, addresses.ports) != dict(addresses.ports):
        progress.say("one of its ports was taken meanwhile: starting a new one")
        return False
    home.state.unlink(missing_ok=True)
    render_monitoring(_parts(home, state["id"], addresses, binaries, tools), monitoring)
    _spawn_supervisor(home, str(state["id"]))
    return True


def _start_new(
    home: SandboxHome,
    cache: Cache,
    binaries: Binaries,
    tools: tuple[Path, Path],
    monitoring: Path | None,
    progress: Progress,
    built: tuple[BuiltExtra, ...],
    *,
    leftovers: int,
) -> None:
    if leftovers:
        progress.say(f"ending {leftovers} processes that an earlier sandbox left behind")
    _end(home)
    home.create()
    added = external_secrets.added(built)
    addresses = network.choose(home.tag, home.ports, added.ports)
    network.remember(addresses, home.ports)
    sandbox = f"{home.tag}-{secrets.token_hex(4)}"
    parts = _parts(home, sandbox, addresses, binaries, tools)
    create_pki(
        home,
        node_ip=addresses.node_ip,
        apiserver_url=addresses.url("kube-apiserver", scheme="https"),
        service_ip=SERVICE_IP,
        more=added.users,
    )
    render_all(parts, monitoring)
    units = (*all_units(parts), *external_secrets.prepared(parts, built))
    plant(ensure_seed(cache, binaries, sandbox, progress, added.objects), home.data / "etcd")
    plan = Plan(
        sandbox=sandbox,
        boot_id=processes.boot_id(),
        state=str(home.state),
        units=units,
        apiserver=admin_probe(parts),
        served=custom_resource_paths([*json.loads(binaries.manifests.read_text()), *added.objects]),
        facts={
            "home": str(home.root),
            "subnet": addresses.subnet,
            "ports": dict(addresses.ports),
            "binaries": str(binaries.folder),
            "binaries_key": binaries.key,
            "versions": {unit.name: unit.version for unit in units},
            "patches": [*(patch.disclosure for patch in PATCHES), *added.disclosures],
            "extras": [extra.name for extra in built],
        },
    )
    write_private(home.plan, plan.to_json())
    _spawn_supervisor(home, sandbox)


def _spawn_supervisor(home: SandboxHome, sandbox: str) -> None:
    passed = {name: os.environ[name] for name in ("PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
    descriptor = os.open(home.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as log:
        # It detaches itself at once, so this call ends within a moment.
        done = subprocess.run(
            [sys.executable, "-m", "rollbook.sandbox.supervisor", str(home.plan)],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", MARKER: sandbox, **passed},
            cwd=home.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        lines = " / ".join(tail(home.log("supervisor"), 3))
        raise EnvironmentFailedError("the sandbox's supervisor could not be started", why=lines)


def _end(home: SandboxHome) -> int:
    count = len(processes.marked(home.tag))
    state = read_state(home)
    if state is not None and supervisor_runs(state):
        pid = int(state["supervisor"]["pid"])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + SUPERVISOR_STOP_S
        while time.monotonic() < deadline and processes.runs(pid):
            time.sleep(0.02)
    processes.end_marked(home.tag)
    left = processes.marked(home.tag)
    if left:
        raise EnvironmentFailedError(
            "some processes of the sandbox do not end",
            why=f"even SIGKILL left {', '.join(map(str, left))}",
            next_step="Run `rollbook sandbox down` again later, or restart the machine.",
        )
    processes.wait_released(network.remembered_ports(home.ports))
    for folder in (home.data, home.config, home.pki, home.images):
        remove_tree(folder)
    home.state.unlink(missing_ok=True)
    home.plan.unlink(missing_ok=True)
    return count


def _parts(
    home: SandboxHome,
    sandbox: str,
    addresses: network.Addresses,
    binaries: Binaries,
    tools: tuple[Path, Path],
) -> Parts:
    return Parts(
        home=home,
        sandbox=sandbox,
        addresses=addresses,
        pki=Pki(home.pki),
        binaries=binaries,
        traefik=tools[0],
        ministack=tools[1],
    )


def _addresses(state: Mapping[str, Any]) -> network.Addresses:
    return network.Addresses(str(state["subnet"]), {name: int(port) for name, port in state["ports"].items()})


@contextmanager
def _locked(home: SandboxHome, progress: Progress) -> Iterator[None]:
    lock = FileLock(home.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.say("another process is starting or stopping this sandbox; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


class _OnlyNow:
    """Passes on what goes on, but not what happened: a sandbox that was up has nothing to tell."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def say(self, text: str) -> None:
        pass

    def now(self, text: str) -> None:
        self._progress.now(text)
