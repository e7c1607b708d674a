""".dockerignore: which files of the build context an image never sees."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_ALWAYS = ("**/__pycache__", "**/*.pyc")
"""Left out with or without a .dockerignore: byte code differs from machine to machine."""


class Ignore:
    """The patterns of a .dockerignore in order; the last one that matches decides."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._rules: list[tuple[re.Pattern[str], bool]] = []
        for line in patterns:
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            keeps = pattern.startswith("!")
            self._rules.append((_regex(pattern.removeprefix("!")), not keeps))
        self._always = [_regex(pattern) for pattern in _ALWAYS]

    @classmethod
    def read(cls, context: Path) -> Ignore:
        """The rules of the context's .dockerignore; none when there is no such file."""
        path = context / ".dockerignore"
        return cls(path.read_text(encoding="utf-8").splitlines() if path.is_file() else ())

    def excludes(self, path: str) -> bool:
        """Whether a path (relative to the context, `/` between its parts) is left out."""
        if any(pattern.match(path) for pattern in self._always):
            return True
        excluded = False
        for pattern, excludes in self._rules:
            if pattern.match(path):
                excluded = excludes
        return excluded


def _regex(pattern: str) -> re.Pattern[str]:
    """A pattern as Docker reads it: `*` and `?` stay within a name, a folder takes its content."""
    parts = [part for part in pattern.strip("/").split("/") if part not in {"", "."}]
    regex = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            regex += ".*" if last else "(?:.*/)?"
            continue
        for character in part:
            regex += {"*": "[^/]*", "?": "[^/]"}.get(character, re.escape(character))
        regex += "" if last else "/"
    return re.compile(f"^{regex}(?:/.*)?$", re.DOTALL)
