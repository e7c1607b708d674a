"""Builds the sandbox's binaries once per machine, into a folder named by what they are made of."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from rollbook.errors import BuildFailedError, EnvironmentFailedError
from rollbook.sandbox.binaries import Binaries, cached_binaries
from rollbook.sandbox.gotool import GoTool
from rollbook.sandbox.home import Cache
from rollbook.sandbox.manifests import vendor_manifests
from rollbook.sandbox.progress import Progress
from rollbook.sandbox.recipe import (
    COMPILER_FLAGS,
    TAGS,
    TRAEFIK_MODULE,
    TRAEFIK_SUM,
    TRAEFIK_VERSION,
    Patch,
    Recipe,
    binary_name,
    recipe,
)
from rollbook.sandbox.toolchain import go_binary

NEEDED_DISK_BYTES = 8 * 2**30
NEEDED_MEMORY_BYTES = 3 * 2**30
CPU_SECONDS = 460.0
"""What a build from nothing costs, measured; for the time that is announced."""

KEEP_GO_CACHE = "ROLLBOOK_KEEP_GO_CACHE"
"""Set it to keep 5 GB of Go's caches after a build: for those who change go.mod."""


def ensure_binaries(cache: Cache, progress: Progress) -> Binaries:
    """The finished build of the current recipe, made now when there is none. At most one build at a time.

    Raises BuildFailedError, and EnvironmentFailedError when disk or memory will not do.
    """
    found = cached_binaries(cache)
    if found is not None:
        return found
    cache.create()
    lock = FileLock(cache.lock("build"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.say("another process is building the sandbox; waiting for it")
        lock.acquire()
    try:
        found = cached_binaries(cache)
        if found is not None:
            return found
        check_resources(cache.root)
        return _build(recipe(), cache, progress)
    finally:
        lock.release()


def check_resources(
    folder: Path, *, disk_bytes: int = NEEDED_DISK_BYTES, memory_bytes: int = NEEDED_MEMORY_BYTES
) -> None:
    """Raise EnvironmentFailedError unless there is disk and memory enough to build."""
    free = shutil.disk_usage(folder).free
    if free < disk_bytes:
        raise EnvironmentFailedError(
            "there is too little disk space to build the sandbox",
            why=f"{free / 2**30:.1f} GiB are free beneath {folder}, {disk_bytes / 2**30:.0f} GiB are needed "
            "while it builds and 1 GiB afterwards",
            next_step="Free some, or name a folder on another disk in ROLLBOOK_CACHE.",
        )
    available = psutil.virtual_memory().available
    if available < memory_bytes:
        raise EnvironmentFailedError(
            "there is too little memory to build the sandbox",
            why=f"{available / 2**30:.1f} GiB are available, {memory_bytes / 2**30:.0f} GiB are needed",
            next_step="Close something and try again.",
        )


def expected_seconds(cpu_seconds: float = CPU_SECONDS) -> float:
    """How long a build from nothing takes on this machine, roughly; downloads not counted."""
    return cpu_seconds / max(1, len(os.sched_getaffinity(0)))


def _build(what: Recipe, cache: Cache, progress: Progress) -> Binaries:
    go = GoTool(go_binary(cache, progress), cache)
    start = time.monotonic()
    minutes = max(1.0, expected_seconds() / 60)
    progress.say(f"building the sandbox, once on this machine: about {minutes:.0f} min and the downloads")
    for interrupted in (*cache.go.glob("work-*"), *cache.go.glob("trash-*")):
        shutil.rmtree(interrupted, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=cache.go, prefix="work-", ignore_cleanup_errors=True) as scratch:
        work = Path(scratch)
        finished = work / "finished"
        (finished / "bin").mkdir(parents=True)
        progress.now("fetching the modules that are patched")
        sources = patched_module(what, go, work)
        manifests = vendor_manifests(sources["github.com/argoproj/argo-rollouts"], _traefik(go, work))
        (finished / "manifests.json").write_text(json.dumps(manifests))
        compile_groups(what, go, work, finished / "bin", BuildDisplay(progress, start, expected_seconds()))
        (finished / "build.json").write_text(
            json.dumps(
                {"key": what.key, "versions": dict(what.versions()), "seconds": time.monotonic() - start}
            )
        )
        target = cache.binaries / what.key
        finished.rename(target)
    discard_go_cache(cache)
    progress.say(f"built in {time.monotonic() - start:.0f} s")
    return Binaries(target, what.key, what.versions())


def discard_go_cache(cache: Cache) -> None:
    """Remove what Go has cached while the caller goes on; the next build removes what is left."""
    if os.environ.get(KEEP_GO_CACHE):
        return
    trash = Path(tempfile.mkdtemp(dir=cache.go, prefix="trash-"))
    for name in ("mod", "build", "home"):
        if (cache.go / name).exists():
            (cache.go / name).rename(trash / name)
    threading.Thread(target=shutil.rmtree, args=(trash,), kwargs={"ignore_errors": True}).start()


def patched_module(what: Recipe, go: GoTool, work: Path) -> Mapping[str, Path]:
    """Write go.mod and go.sum into `work`, with each patched module replaced by a changed copy.

    Returns the copies' folders by module. Raises BuildFailedError when a patch does not fit.
    """
    (work / "go.mod").write_text(what.go_mod)
    (work / "go.sum").write_text(what.go_sum)
    copies: dict[str, Path] = {}
    for module in dict.fromkeys(patch.module for patch in what.patches):
        original, _sum = go.download(module, cwd=work)
        copy = work / "patched" / module
        shutil.copytree(original, copy)
        for folder, _folders, files in os.walk(copy):
            Path(folder).chmod(0o755)
            for name in files:
                (Path(folder) / name).chmod(0o644)
        copies[module] = copy
    for patch in what.patches:
        apply_patch(patch, copies[patch.module])
    replaces = "".join(f"\nreplace {module} => {copy}\n" for module, copy in copies.items())
    (work / "go.mod").write_text(what.go_mod + replaces)
    return copies


def apply_patch(patch: Patch, folder: Path) -> None:
    """Change the patched file of a module's copy. BuildFailedError unless the line is there exactly once."""
    file = folder / patch.file
    try:
        source = file.read_text()
    except OSError as error:
        raise BuildFailedError(f"{patch.module} has no {patch.file} to patch", why=str(error)) from error
    file.write_text(patch.apply(source))


def _traefik(go: GoTool, work: Path) -> Path:
    """Folder of Traefik's sources, fetched outside of our module: its dependencies must not enter ours."""
    outside = work / "outside"
    outside.mkdir()
    folder, checksum = go.download(
        f"{TRAEFIK_MODULE}@v{TRAEFIK_VERSION}",
        cwd=outside,
        # Verified below against our own constant.
        extra_environment={"GONOSUMDB": TRAEFIK_MODULE},
    )
    if checksum != TRAEFIK_SUM:
        raise BuildFailedError(
            f"{TRAEFIK_MODULE} is not what it was",
            why=f"its checksum is {checksum}, expected {TRAEFIK_SUM}",
            next_step="Somebody changed the module on its way here: do not use it.",
        )
    return folder


def compile_groups(what: Recipe, go: GoTool, work: Path, target: Path, display: BuildDisplay) -> None:
    """Compile every group of a recipe, whose go.mod is in `work`, into `target`.

    Raises BuildFailedError that names the group and the package.
    """
    flags = ["-tags", TAGS]
    packages = [package for group in what.groups for package in group.packages]
    with display.ticking("downloading the sources"):
        listed = go.run(
            ["list", "-deps", *flags, "-f", "{{.ImportPath}}", *packages],
            cwd=work,
            doing="downloading the sources",
            compiled=display.downloaded,
        )
    display.total = len(set(listed.split()))
    for group in what.groups:
        began = time.monotonic()
        command = ["build", "-v", *flags, f"-gcflags={COMPILER_FLAGS}", f"-ldflags={group.linker_flags}"]
        with display.ticking(f"compiling {group.title}"):
            go.run(
                [*command, "-o", f"{target}{os.sep}", *group.packages],
                cwd=work,
                doing=f"building {group.title}",
                compiled=display.compiled,
            )
        missing = [
            name
            for name in (binary_name(package) for package in group.packages)
            if not (target / name).is_file()
        ]
        if missing:
            raise BuildFailedError(f"building {group.title} made no {' and no '.join(missing)}")
        display.finished(group.title, time.monotonic() - began)


class BuildDisplay:
    """What is being built, how far, how long, how much longer."""

    def __init__(self, progress: Progress, start: float, expected_s: float) -> None:
        self._progress = progress
        self._start = start
        self._expected_s = expected_s
        self._activity = ""
        self._last = ""
        self._done: set[str] = set()
        self._modules = 0
        self._stop = threading.Event()
        self.total = 0

    def ticking(self, activity: str) -> _Ticker:
        """Show this activity as long as the context lasts."""
        self._activity = activity
        return _Ticker(self)

    def downloaded(self, line: str) -> None:
        """Hear a line of Go's while it downloads."""
        if line.startswith("go: downloading "):
            self._modules += 1
            self._last = " ".join(line.split()[2:4])

    def compiled(self, line: str) -> None:
        """Hear a line of Go's while it compiles."""
        if line and not line.startswith(("#", "go: ")) and " " not in line:
            self._done.add(line)
            self._last = line

    def finished(self, title: str, seconds: float) -> None:
        """Say that a group is built."""
        self._progress.say(f"{title} built in {seconds:.0f} s")

    def show(self) -> None:
        """Show how far it is."""
        elapsed = time.monotonic() - self._start
        text = f"{self._activity}: {elapsed:.0f} s"
        if self.total:
            share = len(self._done) / self.total
            text += f", {len(self._done)} of {self.total} packages"
            if share > 0.02:
                text += f", about {max(0.0, self._expected_s * (1 - share)):.0f} s to go"
        elif self._modules:
            text += f", {self._modules} modules"
        self._progress.now(f"{text}  {self._last}")


class _Ticker:
    """Shows the display four times a second while work goes on."""

    def __init__(self, display: BuildDisplay) -> None:
        self._display = display
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._stop.wait(0.25):
            self._display.show()
