"""Where a run comes from: commit, versions of rollbook and Python, the machine's kind."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import rollbook


def facts(project: Path) -> dict[str, Any]:
    """Facts for `run.json`. A project that is not a git checkout has the commit `unknown`."""
    return {
        "rollbook": rollbook.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "commit": _commit(project),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def _commit(project: Path) -> dict[str, Any]:
    sha = _git(project, "rev-parse", "HEAD")
    if not sha:
        return {"sha": "unknown", "dirty": None}
    return {"sha": sha, "dirty": bool(_git(project, "status", "--porcelain", "--untracked-files=no"))}


def _git(project: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
