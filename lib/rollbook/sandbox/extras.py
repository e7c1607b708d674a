"""What a sandbox may have beside its own parts, built only when it is asked for.

An extra has a go.mod and a go.sum of its own, so that its dependencies neither change the sandbox's binaries
nor have them built again. A build is named by a key over all that it is made of.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from rollbook.errors import BadInputError, BuildFailedError
from rollbook.sandbox.builder import (
    BuildDisplay,
    check_resources,
    compile_groups,
    discard_go_cache,
    expected_seconds,
    patched_module,
)
from rollbook.sandbox.gotool import GoTool
from rollbook.sandbox.home import Cache
from rollbook.sandbox.manifests import Manifest, crds_of
from rollbook.sandbox.progress import Progress
from rollbook.sandbox.recipe import Group, Patch, Recipe, binary_name
from rollbook.sandbox.toolchain import go_binary

SECRETS = "secrets"
"""AWS Secrets Manager to Kubernetes Secrets, by external-secrets."""

NEEDED_DISK_BYTES = 3 * 2**30
NEEDED_MEMORY_BYTES = 2 * 2**30


@dataclass(frozen=True)
class KeptImport(Patch):
    """A file that imports packages only for their registration: all below the path `old` but `new` go.

    An empty `new` leaves none. What is not imported is neither compiled nor downloaded.
    """

    def apply(self, source: str) -> str:
        """Return the source with the other imports left out. BuildFailedError when `new` is not imported."""
        wanted = f'_ "{self.old}{self.new}"'
        lines = source.splitlines(keepends=True)
        imports = [line for line in lines if line.strip().startswith(f'_ "{self.old}')]
        dropped = [line for line in imports if line.strip() != wanted]
        if not dropped or (self.new and len(dropped) == len(imports)):
            raise BuildFailedError(
                f"{self.module}/{self.file} cannot be cut down to {self.old}{self.new}",
                why="it has no such imports",
                next_step="The patch in extras.py does not fit the module's version in its go.mod.",
            )
        return "".join(line for line in lines if line not in dropped)


@dataclass(frozen=True)
class Extra:
    """What is built for an extra, and from which sources."""

    name: str
    title: str
    module: str
    """The module that it is; its version is the extra's."""
    folder: Path
    """Has its go.mod and go.sum."""
    package: str
    definitions: tuple[str, ...]
    """Files of the module with its CustomResourceDefinitions."""
    patches: tuple[Patch, ...]
    cpu_seconds: float
    """What a build from nothing costs, measured."""

    @property
    def recipe(self) -> Recipe:
        """How it is built."""
        return Recipe(
            go_mod=(self.folder / "go.mod").read_text(),
            go_sum=(self.folder / "go.sum").read_text(),
            groups=(Group(self.title, (self.package,), {}),),
            patches=self.patches,
        )


_EXTERNAL_SECRETS = "github.com/external-secrets/external-secrets"

EXTRAS: Mapping[str, Extra] = {
    SECRETS: Extra(
        name=SECRETS,
        title="external-secrets",
        module=_EXTERNAL_SECRETS,
        folder=Path(__file__).parent / "gomod-secrets",
        package=_EXTERNAL_SECRETS,
        definitions=tuple(
            f"config/crds/bases/{name}.yaml"
            for name in (
                "external-secrets.io_externalsecrets",
                "external-secrets.io_secretstores",
                "generators.external-secrets.io_generatorstates",
            )
        ),
        patches=(
            KeptImport(
                module=_EXTERNAL_SECRETS,
                file="pkg/provider/register/register.go",
                old=f"{_EXTERNAL_SECRETS}/pkg/provider/",
                new="aws",
                disclosure="external-secrets is compiled with one of its 36 providers, that of AWS.",
            ),
            KeptImport(
                module=_EXTERNAL_SECRETS,
                file="pkg/generator/register/register.go",
                old=f"{_EXTERNAL_SECRETS}/pkg/generator/",
                new="",
                disclosure="external-secrets is compiled without its generators; nothing here uses them.",
            ),
        ),
        cpu_seconds=170.0,
    )
}


@dataclass(frozen=True)
class BuiltExtra:
    """A finished build of an extra."""

    name: str
    folder: Path
    key: str
    version: str
    disclosures: tuple[str, ...]

    @property
    def binary(self) -> Path:
        """Its one binary."""
        return self.folder / "bin" / binary_name(EXTRAS[self.name].package)

    def definitions(self) -> tuple[Manifest, ...]:
        """Its CustomResourceDefinitions."""
        return tuple(json.loads((self.folder / "manifests.json").read_text()))


def known(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once and in the order of `EXTRAS`. BadInputError for one that is no extra's."""
    for name in names:
        if name not in EXTRAS:
            raise BadInputError(
                f"the sandbox has no extra called {name!r}", why=f"it has: {', '.join(sorted(EXTRAS))}"
            )
    return tuple(name for name in EXTRAS if name in names)


def ensure_extra(name: str, cache: Cache, progress: Progress) -> BuiltExtra:
    """The finished build of an extra, made now when this machine has none. At most one build at a time.

    Raises BadInputError for an unknown name, BuildFailedError, and EnvironmentFailedError when disk or memory
    will not do.
    """
    known([name])
    extra = EXTRAS[name]
    what = extra.recipe
    built = BuiltExtra(
        name,
        cache.binaries / what.key,
        what.key,
        what.version(extra.module),
        tuple(patch.disclosure for patch in extra.patches),
    )
    if built.folder.is_dir():
        return built
    cache.create()
    lock = FileLock(cache.lock("build"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.say(f"another process is building; {extra.title} comes after it")
        lock.acquire()
    try:
        if not built.folder.is_dir():
            check_resources(cache.root, disk_bytes=NEEDED_DISK_BYTES, memory_bytes=NEEDED_MEMORY_BYTES)
            _build(extra, what, built, cache, progress)
    finally:
        lock.release()
    return built


def _build(extra: Extra, what: Recipe, built: BuiltExtra, cache: Cache, progress: Progress) -> None:
    go = GoTool(go_binary(cache, progress), cache)
    start = time.monotonic()
    progress.say(f"building {extra.title} {built.version}, once on this machine")
    with tempfile.TemporaryDirectory(dir=cache.go, prefix="work-", ignore_cleanup_errors=True) as scratch:
        work = Path(scratch)
        finished = work / "finished"
        (finished / "bin").mkdir(parents=True)
        sources = patched_module(what, go, work)[extra.module]
        definitions = crds_of(*(sources / file for file in extra.definitions))
        (finished / "manifests.json").write_text(json.dumps(definitions))
        display = BuildDisplay(progress, start, expected_seconds(extra.cpu_seconds))
        compile_groups(what, go, work, finished / "bin", display)
        seconds = time.monotonic() - start
        told = {"key": what.key, "versions": {extra.title: built.version}, "seconds": seconds}
        (finished / "build.json").write_text(json.dumps(told))
        finished.rename(built.folder)
    discard_go_cache(cache)
    progress.say(f"built in {seconds:.0f} s")
