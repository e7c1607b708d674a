"""Carries out a Dockerfile's instructions, stage by stage, on a tree of files instead of a container."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rollbook.errors import BadInputError
from rollbook.images import dockerfile as syntax
from rollbook.images import requirements
from rollbook.images.dockerfile import Dockerfile, Instruction, Stage
from rollbook.images.settings import WITHOUT_EFFECT, Line, Settings, configure
from rollbook.images.tree import Copy, File, Tree, copied

_PYTHON_BASE = re.compile(r"^(?:[\w.-]+(?::\d+)?/)*python(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?$")


@dataclass(frozen=True)
class Step:
    """What one instruction did, for the image's history; `layer` holds the files that it added, if any."""

    instruction: str
    layer: Tree | None = None


@dataclass(frozen=True)
class Built:
    """A stage after its last instruction: its files, its settings, and how it came about."""

    base: str
    """Name of the base image that is not part of it; `scratch` when there is none."""
    files: Tree = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    settings: Settings = field(default_factory=Settings)


class Stages:
    """Builds the last stage of a Dockerfile, and the stages that it needs; others are not looked at."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        context: Tree,
        build_arguments: Mapping[str, str],
        cache: Path,
        progress: Callable[[str], None],
    ) -> None:
        self._dockerfile = dockerfile
        self._context = context
        self._build_arguments = build_arguments
        self._cache = cache
        self._progress = progress
        self._built: dict[int, Built] = {}
        self._told: set[str] = set()

    def last(self) -> Built:
        """The last stage. BadInputError names the line of what cannot be done without Docker."""
        return self._stage(len(self._dockerfile.stages) - 1)

    def _stage(self, number: int) -> Built:
        if number not in self._built:
            stage = self._dockerfile.stages[number]
            built = self._start(stage, number)
            arguments: dict[str, str] = {}
            for instruction in stage.instructions:
                line = Line(self._dockerfile, instruction, arguments, built.settings.environment)
                built = self._carry_out(line, built, arguments, number)
            self._built[number] = built
        return self._built[number]

    def _carry_out(self, line: Line, built: Built, arguments: dict[str, str], number: int) -> Built:
        """The stage after one instruction; an ARG goes into `arguments`."""
        name = line.instruction.name
        if name == "ARG":
            arguments |= syntax.declared_arguments(
                self._dockerfile, line.instruction, arguments, line.environment, self._build_arguments
            )
            return built
        if name == "COPY":
            return self._copy(line, built, number)
        if name == "RUN":
            return self._run(line, built)
        if name in WITHOUT_EFFECT:
            self._progress(f"line {line.instruction.line}: {name} has no effect, {WITHOUT_EFFECT[name]}")
            return built
        return replace(
            built,
            settings=configure(built.settings, line),
            steps=(*built.steps, Step(f"{name} {line.instruction.value}")),
        )

    def _start(self, stage: Stage, number: int) -> Built:
        earlier = self._number(stage.base, number)
        if earlier is not None:
            return self._stage(earlier)
        if stage.base == "scratch":
            return Built(base="scratch")
        if _PYTHON_BASE.match(stage.base):
            if stage.base not in self._told:
                self._told.add(stage.base)
                self._progress(f"FROM {stage.base}: the host's Python stands in for it")
            return Built(base=stage.base)
        raise self._dockerfile.refuse(
            stage.line,
            f"FROM {stage.base} cannot be used without Docker",
            why="only python images (the host's Python stands in), scratch and earlier stages can",
            next_step="Base the image on python:<version>-slim.",
        )

    def _copy(self, line: Line, built: Built, number: int) -> Built:
        array = syntax.json_array(line.instruction.value)
        words = list(array) if array is not None else line.words()
        flags = dict(word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("--"))
        origin, place = self._context, "the build context (.dockerignore counts)"
        stage = flags.pop("from", "")
        if stage:
            origin, place = self._files_of(stage, line.instruction, number), f"the stage {stage}"
        paths = [word for word in words if not word.startswith("--")]
        copy = _parse_copy(line, flags, paths, built.settings.workdir)
        try:
            added = copied(copy, origin)
        except LookupError as error:
            raise line.refuse(
                why=f"{error.args[0]} is not in {place}", next_step="Correct the source's path."
            ) from error
        return _with_files(line, built, added)

    def _run(self, line: Line, built: Built) -> Built:
        number = line.instruction.line
        if line.instruction.skipped:
            self._progress(f"line {number}: RUN left out, as its marker asks")
            return built
        try:
            command = requirements.parse(syntax.json_array(line.instruction.value) or line.instruction.value)
        except ValueError as error:
            raise line.refuse(
                why=str(error),
                next_step="Use `RUN pip install --require-hashes -r requirements.txt`, copy what is already "
                f"built, or put `# {syntax.SKIP_MARKER}` above the line when the service runs without it.",
            ) from error
        workdir = built.settings.workdir
        texts = []
        for name in command.requirements:
            path = posixpath.normpath(posixpath.join(workdir, name))
            if path not in built.files:
                raise line.refuse(why=f"{path} is not in the image", next_step="COPY the requirements first.")
            texts.append(built.files[path].source.read_bytes())
        target = posixpath.normpath(posixpath.join(workdir, command.target or requirements.DEFAULT_TARGET))
        self._progress(f"line {number}: RUN pip install into {target}")
        try:
            packages = requirements.install(texts, command.options, self._cache, self._progress)
        except BadInputError as error:
            raise line.refuse(why=error.why or error.what, next_step=error.next_step) from error
        if not command.target:
            before = built.settings.environment.get("PYTHONPATH", "")
            environment = {**built.settings.environment, "PYTHONPATH": f"{before}:{target}".lstrip(":")}
            built = replace(built, settings=replace(built.settings, environment=environment))
        return _with_files(
            line, built, {posixpath.join(target, path): file for path, file in packages.items()}
        )

    def _files_of(self, name: str, instruction: Instruction, number: int) -> Tree:
        earlier = self._number(name, number)
        if earlier is None:
            raise self._dockerfile.refuse(
                instruction.line,
                f"COPY --from={name} names no earlier stage",
                why="other images are not downloaded here",
                next_step="Copy from a stage of this Dockerfile.",
            )
        return self._stage(earlier).files

    def _number(self, name: str, before: int) -> int | None:
        """The stage before `before` with that name or number; the latest one when the name occurs twice."""
        for candidate in reversed(range(before)):
            if name.lower() == self._dockerfile.stages[candidate].name or name == str(candidate):
                return candidate
        return None


def _parse_copy(line: Line, flags: dict[str, str], paths: list[str], workdir: str) -> Copy:
    if len(paths) < 2:
        raise line.refuse(why="it needs a source and a destination")
    uid, gid = _owner(line, flags.pop("chown", ""))
    mode = flags.pop("chmod", "")
    if mode and not re.fullmatch(r"0?[0-7]{3}", mode):
        raise line.refuse(why=f"--chmod={mode} is not an octal mode", next_step="Write 0755.")
    flags.pop("link", None)
    if flags:
        raise line.refuse(why=f"--{min(flags)} is not understood")
    *sources, destination = paths
    copy = Copy(
        tuple(posixpath.normpath(source.strip("/") or ".") for source in sources),
        posixpath.normpath(posixpath.join(workdir, destination)),
        into_folder=destination.endswith("/") or posixpath.basename(destination) in {".", ".."},
        mode=int(mode, 8) if mode else None,
        uid=uid,
        gid=gid,
    )
    if any(source.split("/")[0] == ".." for source in copy.sources):
        raise line.refuse(why="a source lies outside the build context")
    return copy


def _owner(line: Line, value: str) -> tuple[int, int]:
    if not value:
        return 0, 0
    if not re.fullmatch(r"\d+(:\d+)?", value):
        raise line.refuse(why=f"--chown={value} is a name", next_step="Use numbers: --chown=10001:10001.")
    uid, _, gid = value.partition(":")
    return int(uid), int(gid or uid)


def _with_files(line: Line, built: Built, added: Mapping[str, File]) -> Built:
    """The stage with a layer more."""
    folders = {posixpath.dirname(path) for path in {**built.files, **added}}
    folders |= {parent for folder in set(folders) for parent in _above(folder)}
    for path in sorted(added):
        if path in folders or path == "/":
            raise line.refuse(why=f"{path} is a folder in the image already")
    step = Step(f"{line.instruction.name} {line.instruction.value}", dict(added))
    return replace(built, files={**built.files, **added}, steps=(*built.steps, step))


def _above(folder: str) -> set[str]:
    found = set()
    while folder not in {"/", ""}:
        found.add(folder)
        folder = posixpath.dirname(folder)
    return found
