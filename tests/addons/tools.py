"""The helm command, compiled from its Go module once per machine, for tests on machines that have none."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from pathlib import Path

from filelock import FileLock

from rollbook.sandbox.builder import check_resources
from rollbook.sandbox.gotool import GoTool
from rollbook.sandbox.home import Cache
from rollbook.sandbox.progress import SilentProgress
from rollbook.sandbox.recipe import COMPILER_FLAGS, GO_VERSION
from rollbook.sandbox.toolchain import go_binary

LOCKS = Path(__file__).parent / "locks"
HELM = "helm.sh/helm/v4/cmd/helm"
BUILD_DISK_BYTES = 3 * 2**30
BUILD_MEMORY_BYTES = 2 * 2**30


def helm(cache: Cache) -> Path:
    """Path of the binary; minutes of download and compiling where the cache has none.

    Raises BuildFailedError, and EnvironmentFailedError when disk or memory will not do.
    """
    made = hashlib.sha256((LOCKS / "go.mod").read_bytes() + (LOCKS / "go.sum").read_bytes())
    made.update(f"{GO_VERSION} {COMPILER_FLAGS} {platform.system()} {platform.machine()}".encode())
    target = cache.tools / f"helm-{made.hexdigest()[:16]}"
    if not target.is_dir():
        cache.create()
        with FileLock(cache.lock("tool-helm")):
            if not target.is_dir():
                with tempfile.TemporaryDirectory(
                    dir=cache.tools, prefix=".helm-", ignore_cleanup_errors=True
                ) as scratch:
                    _compile(cache, Path(scratch)).rename(target)
    return target / "helm"


def _compile(cache: Cache, scratch: Path) -> Path:
    check_resources(scratch, disk_bytes=BUILD_DISK_BYTES, memory_bytes=BUILD_MEMORY_BYTES)
    work, finished = scratch / "work", scratch / "finished"
    work.mkdir()
    for name in ("go.mod", "go.sum"):
        (work / name).write_bytes((LOCKS / name).read_bytes())
    # Caches of its own: a build of the sandbox empties those of the sandbox.
    go = GoTool(go_binary(cache, SilentProgress()), Cache(scratch))
    version = next(
        line.split()[1]
        for line in (work / "go.mod").read_text().splitlines()
        if "helm.sh/helm" in line and " v4." in line
    )
    stamp = f"-X helm.sh/helm/v4/internal/version.version={version}"
    options = [f"-gcflags={COMPILER_FLAGS}", f"-ldflags=-s -w {stamp}"]
    go.run(["build", *options, "-o", f"{finished}{os.sep}", HELM], cwd=work, doing="building helm")
    return finished
