"""Where a run comes from: commit, versions, the machine's kind, and which of its texts are judged."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

import rollbook
from rollbook.evidence.project import git

REQUIREMENTS = "docs/requirements.yaml"
_READ_ALWAYS = (REQUIREMENTS, "monitoring/**/*.yaml")
_BY_DIGEST = frozenset({"file.exists", "file.tree"})
"""Checks that look at no text: the digests of all files are kept anyway."""


def facts(project: Path) -> dict[str, Any]:
    """Facts for `run.json`. A project that is not a git checkout has the commit `unknown`."""
    return {
        "rollbook": rollbook.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "commit": _commit(project),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def read_patterns(project: Path) -> tuple[str, ...]:
    """Patterns of the project's files whose texts a run keeps, because checks of requirements read them.

    They are the arguments `path` and `paths` in docs/requirements.yaml. What is wrong with that file is told
    where it is validated; here it only means that less is kept.
    """
    try:
        loaded = YAML(typ="safe").load((project / REQUIREMENTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError):
        return _READ_ALWAYS
    return tuple(dict.fromkeys((*_READ_ALWAYS, *_paths(loaded))))


def _paths(loaded: Any) -> Iterator[str]:
    for requirement in _list(loaded, "requirements"):
        for call in _list(requirement, "checks"):
            for name, arguments in call.items() if isinstance(call, Mapping) else ():
                if name not in _BY_DIGEST and isinstance(arguments, Mapping):
                    yield from _texts(arguments.get("path"))
                    yield from _texts(arguments.get("paths"))


def _list(thing: Any, key: str) -> list[Any]:
    found = thing.get(key) if isinstance(thing, Mapping) else None
    return found if isinstance(found, list) else []


def _texts(value: Any) -> Iterator[str]:
    return (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))


def _commit(project: Path) -> dict[str, Any]:
    sha = git(project, "rev-parse", "HEAD").strip()
    if not sha:
        return {"sha": "unknown", "dirty": None}
    return {"sha": sha, "dirty": bool(git(project, "status", "--porcelain", "--untracked-files=no"))}
