"""Linters that are Go modules: compiled once per machine, by the toolchain that compiles the sandbox."""

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

LOCKED = ("go.mod", "go.sum")
BUILD_DISK_BYTES = 3 * 2**30
BUILD_MEMORY_BYTES = 2 * 2**30


def go_tool(cache: Cache, package: str, locks: Path) -> Path:
    """The command that a Go package makes, with modules as `go.mod` and `go.sum` in `locks` have them.

    Raises BuildFailedError, and EnvironmentFailedError when disk or memory will not do.
    """
    name = package.rpartition("/")[2]
    key = hashlib.sha256(b"".join((locks / locked).read_bytes() for locked in LOCKED))
    key.update(f"{package} {GO_VERSION} {COMPILER_FLAGS} {platform.system()} {platform.machine()}".encode())
    target = cache.tools / f"{name}-{key.hexdigest()[:16]}"
    if not target.is_dir():
        cache.create()
        with FileLock(cache.lock(f"tool-{name}")):
            if not target.is_dir():
                _build(cache, package, locks, target)
    return target / name


def _build(cache: Cache, package: str, locks: Path, target: Path) -> None:
    # Made elsewhere and renamed: what is in the cache is whole.
    with tempfile.TemporaryDirectory(dir=cache.tools, prefix=".go-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        check_resources(scratch, disk_bytes=BUILD_DISK_BYTES, memory_bytes=BUILD_MEMORY_BYTES)
        work, finished = scratch / "work", scratch / "finished"
        work.mkdir()
        for locked in LOCKED:
            (work / locked).write_bytes((locks / locked).read_bytes())
        # Caches of its own: a build of the sandbox empties those of the sandbox.
        go = GoTool(go_binary(cache, SilentProgress()), Cache(scratch))
        flags = [f"-gcflags={COMPILER_FLAGS}", "-ldflags=-s -w", "-o", f"{finished}{os.sep}"]
        go.run(["build", *flags, package], cwd=work, doing=f"building {target.name}")
        finished.rename(target)
