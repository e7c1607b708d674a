"""The store of a cluster that has all definitions and roles in it: each new sandbox starts from a copy.

An API server needs seconds of computing to take up the definitions of Argo Rollouts and Traefik. That is done
once per build, on a cluster that nothing else ever touched; no key and no secret is in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from rollbook.errors import BuildFailedError
from rollbook.sandbox.applying import apply_all
from rollbook.sandbox.binaries import Binaries
from rollbook.sandbox.control_plane import SERVICE_IP, SERVICE_RANGE, admin_probe, apiserver, etcd
from rollbook.sandbox.files import remove_tree
from rollbook.sandbox.home import Cache, SandboxHome
from rollbook.sandbox.manifests import Manifest, least, own_manifests
from rollbook.sandbox.network import PORTS, Addresses, free_ports
from rollbook.sandbox.parts import Parts
from rollbook.sandbox.pki import create_pki
from rollbook.sandbox.probing import answers
from rollbook.sandbox.progress import Progress
from rollbook.sandbox.units import Unit

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
LAYOUT = "1"
"""Changes when a seed is made in another way, so that old ones are not used."""


def seed_key(manifests: str, more: Sequence[Manifest] = ()) -> str:
    """Twelve hex digits over what is put into the store."""
    objects = json.dumps([*_objects(manifests), *more], sort_keys=True)
    return hashlib.sha256("\0".join((LAYOUT, SERVICE_RANGE, objects)).encode()).hexdigest()[:12]


def _objects(manifests: str) -> list[Manifest]:
    """What is put into the store: of vendors, as little as they need, and the sandbox's own."""
    return [*least(json.loads(manifests)), *own_manifests()]


def ensure_seed(
    cache: Cache, binaries: Binaries, sandbox: str, progress: Progress, more: Sequence[Manifest] = ()
) -> Path:
    """Folder with etcd's data of a prepared cluster, made now when there is none; `more` is put in as well.

    Its processes carry the id `sandbox`, so that what an interruption leaves is found like all else.

    Raises BuildFailedError when the API server does not come up or refuses an object.
    """
    target = binaries.folder / f"seed-{seed_key(binaries.manifests.read_text(), more)}"
    if target.is_dir():
        return target
    with FileLock(cache.lock("seed")):
        if target.is_dir():
            return target
        for interrupted in binaries.folder.glob(".seed-*"):
            remove_tree(interrupted)
        progress.say("preparing a cluster, once for this build")
        with tempfile.TemporaryDirectory(dir=binaries.folder, prefix=".seed-") as scratch:
            made = _make(binaries, SandboxHome(Path(scratch) / "home"), sandbox, more)
            made.rename(target)
    return target


def plant(seed: Path, data: Path) -> None:
    """Copy the prepared store to where a new sandbox's etcd looks for its own."""
    shutil.copytree(seed, data)


def _make(binaries: Binaries, home: SandboxHome, sandbox: str, more: Sequence[Manifest]) -> Path:
    home.create()
    (home.data / "tmp").mkdir()
    addresses = Addresses("127.0", free_ports(PORTS))
    pki = create_pki(
        home,
        node_ip=addresses.node_ip,
        apiserver_url=addresses.url("kube-apiserver", scheme="https"),
        service_ip=SERVICE_IP,
    )
    nothing = Path()
    parts = Parts(home, sandbox, addresses, pki, binaries, nothing, nothing)
    objects = [*_objects(binaries.manifests.read_text()), *more]
    # Left in reverse order: the API server is stopped before its store.
    with _running(etcd(parts)), _running(apiserver(parts)):
        apply_all(admin_probe(parts), objects)
    # Preallocated and temporary files of the write-ahead log are left behind.
    for unfinished in (home.data / "etcd").rglob("*.tmp"):
        unfinished.unlink()
    return home.data / "etcd"


@contextmanager
def _running(unit: Unit) -> Iterator[None]:
    """The unit's process, ready; stopped at the end, whatever happened."""
    with Path(unit.log).open("wb") as log:
        process = subprocess.Popen(
            unit.argv,
            env=dict(unit.environment),
            cwd=unit.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while told := answers(unit.probe):
            if process.poll() is not None or time.monotonic() > deadline:
                last = Path(unit.log).read_text(errors="replace").splitlines()[-3:]
                raise BuildFailedError(f"{unit.name} did not start", why=" / ".join([told, *last]))
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
