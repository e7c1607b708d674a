""".dockerignore as Docker reads it."""

from __future__ import annotations

import pytest

from rollbook.images.ignore import Ignore


@pytest.mark.parametrize(
    ("patterns", "path", "excluded"),
    [
        ([], "a.py", False),
        (["*.md"], "README.md", True),
        (["*.md"], "docs/README.md", False),
        (["**/*.md"], "docs/deep/README.md", True),
        (["**/*.md"], "README.md", True),
        (["docs"], "docs/a/b.txt", True),
        (["docs"], "docs2/a", False),
        (["/docs/"], "docs/a", True),
        (["*", "!keep"], "keep/me.py", False),
        (["*", "!keep"], "drop/me.py", True),
        (["*", "!keep", "keep/secret"], "keep/secret", True),
        (["a?c"], "abc", True),
        (["a?c"], "a/c", False),
        (["# comment", ""], "# comment", False),
        (["file.name"], "fileXname", False),
        (["a/**"], "a/b/c", True),
    ],
)
def test_patterns_decide_as_docker_does(patterns: list[str], path: str, excluded: bool) -> None:
    """The last pattern that matches a path decides about it."""
    assert excluded == Ignore(patterns).excludes(path)


def test_byte_code_is_never_copied() -> None:
    """Byte code stays out of an image even when nobody asks for it, and even when it is asked for."""
    assert Ignore(["!**/*.pyc"]).excludes("pkg/__pycache__/a.cpython-311.pyc")
    assert Ignore([]).excludes("a.pyc")
