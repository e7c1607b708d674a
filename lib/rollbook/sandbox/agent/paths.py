from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rollbook.errors import BadInputError

# An absolute path at the start of a word, of a list's entry (`/a:/b`) or after `=`; `//` is a URL's.
_PATH = re.compile(r"""(?:(?<=^)|(?<=[\s=:,'"]))/(?!/)[^\s:,'"]*""")
_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def host_python() -> str:
    """The interpreter that `python` means in a container: the host's own, outside any virtual environment."""
    # `_base_executable` is what the standard library's venv goes by; there is no public name for it.
    return str(getattr(sys, "_base_executable", sys.executable))


@dataclass(frozen=True)
class HostPaths:
    """Where a container's paths are on the host: under its mounts, else in the image's root.

    `mounts` maps mount paths to host paths. Nothing is chrooted: only paths that are spelt out in the
    command, its arguments or the environment are translated, and only those that are there.
    """

    rootfs: Path
    mounts: Mapping[str, Path]
    tools: Path
    """Folder with `python` and `python3`, for commands that start them by name."""

    def host(self, path: str) -> Path | None:
        """The host path of one absolute path of the container; None when neither mounts nor image have it."""
        wanted = PurePosixPath(path)
        inside = [mount for mount in self.mounts if wanted.is_relative_to(mount)]
        if inside:
            mount = max(inside, key=len)
            return self.mounts[mount] / wanted.relative_to(mount)
        parts = [part for part in wanted.parts if part not in {"/", ".."}]
        inner = self.rootfs.joinpath(*parts)
        return inner if parts and inner.exists() else None

    def translate(self, text: str) -> str:
        """The text with every path that the container has replaced by its host path."""

        def replace(match: re.Match[str]) -> str:
            found = self.host(match[0])
            return match[0] if found is None else f"{found}{'/' if match[0].endswith('/') else ''}"

        return _PATH.sub(replace, text)

    def search_path(self, path: str) -> str:
        """The container's PATH on the host: the image's folders first, then the host's own."""
        own = [str(self.host(entry)) for entry in path.split(":") if entry and self.host(entry) is not None]
        return ":".join([*own, str(self.tools), _HOST_PATH])

    def command(self, words: Sequence[str], search_path: str) -> tuple[str, ...]:
        """The command line on the host, its program found. BadInputError when there is no such program."""
        if not words:
            raise BadInputError("no command is given", why="neither the image nor the pod names one")
        program, *arguments = words
        rest = tuple(self.translate(word) for word in arguments)
        found = self._program(program, search_path)
        return (*_interpreted(found), *rest)

    def _program(self, program: str, search_path: str) -> Path:
        name = PurePosixPath(program).name
        inner = self.host(program) if program.startswith("/") else None
        if inner is None and _PYTHON.fullmatch(name) and not _in_image(self, program, search_path):
            return Path(host_python())
        found = shutil.which(str(inner or program), path=search_path)
        if found is None:
            raise BadInputError(
                f"the program {program!r} is not there", why="neither in the image nor on the host"
            )
        return Path(found)


def _in_image(paths: HostPaths, program: str, search_path: str) -> bool:
    found = None if "/" in program else shutil.which(program, path=search_path)
    return found is not None and Path(found).is_relative_to(paths.rootfs)


def _interpreted(program: Path) -> tuple[str, ...]:
    """A Python script of an image names the image's interpreter in its first line; here it is the host's."""
    with program.open("rb") as file:
        first = file.readline(256)
    if first.startswith(b"#!"):
        words = first[2:].decode(errors="replace").split()
        if words and _PYTHON.fullmatch(PurePosixPath(words[0]).name) and not Path(words[0]).exists():
            return (host_python(), str(program))
    return (str(program),)


def write_tools(folder: Path) -> None:
    """Make the folder with `python` and `python3` that run the host's interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        tool = folder / name
        tool.write_text(f'#!/bin/sh\nexec "{host_python()}" "$@"\n')
        tool.chmod(0o755)
