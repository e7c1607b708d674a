"""The project that a run is made from: its files by digest, and the texts that are judged, as records."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from rollbook.evidence.answers import Asked
from rollbook.evidence.recorder import Recorder

PROJECT = "project"
LS_FILES = "git ls-files"
READ = "read"
LONGEST_BYTES = 300_000
"""A text that is longer is not read: its digest is known all the same."""
_GIT_TIMEOUT_S = 20
_NOT_OURS = {"__pycache__", "node_modules", "reports", "venv", "build", "dist"}


def record_project(recorder: Recorder, project: Path, patterns: Iterable[str] = ()) -> str:
    """Keep what the project is made of; the id of the record.

    One record of `git ls-files`: `{"files": {path: sha256}, "commit": str, "dirty": [path]}`, where `dirty`
    are tracked files that differ from the commit. Without git the files are found by walking, hidden and
    generated folders left out, and the commit is empty. One record of `read` for each text that a pattern
    matches (`docs/*.md`; `*` crosses no folder, `**` does): `{"text": str, "sha256": hex}`.
    """
    tracked = _tracked(project)
    files = _digests(project, tracked)
    answer = {
        "files": files,
        "commit": git(project, "rev-parse", "HEAD").strip() if tracked else "",
        "dirty": _changed(project) if tracked else [],
    }
    listed = recorder.record(Asked(PROJECT, LS_FILES, {}), "ok", answer)
    wanted = tuple(patterns)
    for path, digest in files.items():
        if any(matches(path, pattern) for pattern in wanted):
            text = _text(project / path)
            if text is not None:
                recorder.record(Asked(PROJECT, READ, {"path": path}), "ok", {"text": text, "sha256": digest})
    return listed


def project_files(project: Path) -> dict[str, str]:
    """SHA-256 (hex) of a project's files by path: those that git tracks, else all but generated ones."""
    return _digests(project, _tracked(project))


def git(project: Path, *arguments: str) -> str:
    """What git says; empty when there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments],
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")


def matches(path: str, pattern: str) -> bool:
    """Whether a path fits a pattern: `*` within one folder, `**` across folders, `folder/` all below it."""
    whole = f"{pattern}**" if pattern.endswith("/") else pattern
    return _fits(path.split("/"), whole.split("/"))


def _fits(parts: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_fits(parts[at:], wanted[1:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def _tracked(project: Path) -> list[str]:
    """Paths that git tracks; none where there is no git."""
    return [path for path in git(project, "ls-files", "-z").split("\0") if path]


def _digests(project: Path, tracked: list[str]) -> dict[str, str]:
    paths = sorted(tracked or _walk(project))
    return {path: digest for path in paths if (digest := _digest(project / path))}


def _digest(path: Path) -> str:
    """SHA-256 of a regular file; empty for what is none (a link, a folder of another repository)."""
    try:
        if path.is_symlink() or not path.is_file():
            return ""
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _text(path: Path) -> str | None:
    try:
        content = path.read_bytes()
        return content.decode() if len(content) <= LONGEST_BYTES else None
    except (OSError, UnicodeDecodeError):
        return None


def _changed(project: Path) -> list[str]:
    names = git(project, "diff", "--name-only", "--relative", "-z", "HEAD")
    return sorted(name for name in names.split("\0") if name)


def _walk(project: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(project):
        folders[:] = [one for one in folders if not one.startswith(".") and one not in _NOT_OURS]
        for name in names:
            yield (Path(folder) / name).relative_to(project).as_posix()
