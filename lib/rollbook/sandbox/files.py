"""Small files that are either whole or not there, and closed to other users."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at once; mode 0600 from its first byte on."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    temporary.replace(path)


def write_json(path: Path, value: object) -> None:
    """Replace a JSON file at once; mode 0600."""
    write_private(path, json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it, read-only folders too; no-op when there is none."""
    if not path.exists():
        return
    for folder, _folders, _files in os.walk(path):
        here = Path(folder)
        mode = here.stat().st_mode
        if not mode & stat.S_IWUSR:
            here.chmod(mode | stat.S_IRWXU)
    shutil.rmtree(path)
