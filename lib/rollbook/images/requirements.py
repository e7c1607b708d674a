"""RUN pip install: the one command of a Dockerfile that can be run without a container, cached by content."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from rollbook.errors import BadInputError, BuildFailedError
from rollbook.images.tree import File, host_file

DEFAULT_TARGET = "/usr/local/lib/site-packages"
"""Where packages go when the command names no --target; the image's PYTHONPATH then leads there."""

_TIMEOUT_S = 600.0
_FORMAT = "2"
"""Part of the cache's key: raise it when `_tidy` changes."""
_INSTALLERS = (("pip",), ("pip3",), ("python", "-m", "pip"), ("python3", "-m", "pip"))
_SILENT = {"--no-cache-dir", "--no-compile", "--disable-pip-version-check", "--no-input", "-q", "--quiet",
           "--require-hashes", "--root-user-action=ignore"}  # fmt: skip
_PASSED_ON = {"--no-deps", "--only-binary=:all:", "--prefer-binary"}
_NOISE = {"INSTALLER", "REQUESTED", "direct_url.json"}
_SHELL = re.compile(r"&&|\|\||[;|<>`]|\$\(")


@dataclass(frozen=True)
class PipInstall:
    """A pip install of a Dockerfile: requirements files, target folder (empty: default), options."""

    requirements: tuple[str, ...]
    target: str
    options: tuple[str, ...]


def parse(command: str | Sequence[str]) -> PipInstall:
    """Understand a RUN. ValueError says in one clause why it cannot be run without a container."""
    if isinstance(command, str):
        if _SHELL.search(command):
            raise ValueError("it needs a shell")
        arguments = [word for word in shlex.split(command) if not word.startswith("--mount=type=cache")]
    else:
        arguments = list(command)
    for installer in _INSTALLERS:
        if tuple(arguments[: len(installer) + 1]) == (*installer, "install"):
            return _options(arguments[len(installer) + 1 :])
    raise ValueError("only `pip install -r FILE` can be run without a container")


def install(
    requirements: Sequence[bytes], options: Sequence[str], cache: Path, progress: Callable[[str], None]
) -> dict[str, File]:
    """Install requirements (contents of files with hashes); the packages' files by path below the target.

    The result stays in `cache` under a key made of the requirements, the options, the Python version and
    the platform. BadInputError for requirements without hashes, BuildFailedError with pip's own words.
    """
    if any(b"--hash=" not in content for content in requirements):
        raise BadInputError(
            "a requirements file has no hashes",
            why="an image must be the same whenever it is built",
            next_step="Make it with `uv pip compile --generate-hashes requirements.in -o requirements.txt`.",
        )
    folder = cache / "pip" / _key(requirements, options)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                progress("installing packages: this needs a package index, once for each set of requirements")
                _run(requirements, options, folder)
    return {
        path.relative_to(folder).as_posix(): host_file(path)
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }


def _options(arguments: Sequence[str]) -> PipInstall:
    files: list[str] = []
    target, passed = "", []
    rest = iter(arguments)
    for word in rest:
        name, _, value = word.partition("=")
        if name in {"-r", "--requirement"}:
            files.append(value or next(rest, ""))
        elif name in {"-t", "--target"}:
            target = value or next(rest, "")
        elif word in _PASSED_ON:
            passed.append(word)
        elif word not in _SILENT:
            raise ValueError(f"`{word}` is not among the pip options that are understood here")
    if not files or "" in files:
        raise ValueError("it names no requirements file with -r")
    return PipInstall(tuple(files), target, tuple(passed))


def _key(requirements: Sequence[bytes], options: Sequence[str]) -> str:
    parts = [_FORMAT, sys.implementation.cache_tag or "", sysconfig.get_platform(), *sorted(options)]
    digest = hashlib.sha256("\0".join(parts).encode())
    for content in requirements:
        digest.update(b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:32]


def _run(requirements: Sequence[bytes], options: Sequence[str], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pip-") as name:
        work = Path(name)
        command = [sys.executable, "-m", "pip", "install", "--require-hashes", "--no-compile"]
        command += ["--disable-pip-version-check", "--no-input", "--root-user-action=ignore", "--quiet"]
        command += [*options, "--target", str(work / "site")]
        for number, content in enumerate(requirements):
            path = work / f"requirements-{number}.txt"
            path.write_bytes(content)
            command += ["-r", str(path)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, env=_environment(), check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(str(error)) from error
        if done.returncode != 0:
            raise _failed(" ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]))
        (work / "site").mkdir(exist_ok=True)
        _tidy(work / "site")
        (work / "site").rename(folder)


def _environment() -> dict[str, str]:
    """Ours, so that a proxy or an index mirror still counts; without what would change the result."""
    drop = {"PYTHONPATH", "PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"}
    return {key: value for key, value in os.environ.items() if key not in drop}


def _failed(why: str) -> BuildFailedError:
    return BuildFailedError(
        "pip could not install the image's requirements",
        why=why,
        next_step="Check that a package index can be reached and that the requirements fit this Python.",
    )


def _tidy(site: Path) -> None:
    """Take away what differs between two installations of the same packages, and scripts of this machine."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    for path in sorted(site.rglob("*"), reverse=True):
        if path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.suffix == ".pyc" or (path.name in _NOISE and path.parent.suffix == ".dist-info"):
            path.unlink()
    for record in site.glob("*.dist-info/RECORD"):
        _without_what_is_gone(record, site)


def _without_what_is_gone(record: Path, site: Path) -> None:
    """Leave only those rows of a RECORD whose files are there: it says which files are of the package."""
    rows = csv.reader(record.read_text(encoding="utf-8").splitlines())
    with record.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            sorted(row for row in rows if (site / row[0]).is_file())
        )
