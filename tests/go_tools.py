"""Commands that are Go modules: compiled once per machine, by the toolchain that compiles the sandbox."""

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


def go_tool(cache: Cache, package: str, locks: Path, *, stamp: str = "") -> Path:
    """The command that a Go package makes, with modules as `go.mod` and `go.sum` in `locks` have them.

    `stamp` names a variable of the code that is to hold the version of the package's own module. Raises
    BuildFailedError, and EnvironmentFailedError when disk or memory will not do.
    """
    name = package.rpartition("/")[2]
    key = hashlib.sha256(b"".join((locks / locked).read_bytes() for locked in LOCKED))
    key.update(
        f"{package}{stamp} {GO_VERSION} {COMPILER_FLAGS} {platform.system()} {platform.machine()}".encode()
    )
    target = cache.tools / f"{name}-{key.hexdigest()[:16]}"
    if not target.is_dir():
        cache.create()
        with FileLock(cache.lock(f"tool-{name}")):
            if not target.is_dir():
                _build(cache, package, locks, target, stamp)
    return target / name


def _build(cache: Cache, package: str, locks: Path, target: Path, stamp: str) -> None:
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
        linker = f"-s -w -X {stamp}={_version(locks, package)}" if stamp else "-s -w"
        flags = [f"-gcflags={COMPILER_FLAGS}", f"-ldflags={linker}", "-o", f"{finished}{os.sep}"]
        go.run(["build", *flags, package], cwd=work, doing=f"building {target.name}")
        finished.rename(target)


def _version(locks: Path, package: str) -> str:
    """Version of the module that a package is in, as `go.mod` has it."""
    required = (line.removeprefix("require ").split() for line in (locks / "go.mod").read_text().splitlines())
    found = [words[1] for words in required if len(words) > 1 and f"{package}/".startswith(f"{words[0]}/")]
    return found[0]
