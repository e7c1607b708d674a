"""The digest of a check's code: another one when the code may do something else, and only then."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rollbook.coverage import code, registry

BEFORE = '''"""A module."""

from rollbook.domain.accounting import percentile

LIMIT = 3
OTHER = 4


def helper(value: int) -> int:
    """Add."""
    return value + LIMIT


class Kept:
    """Holds."""

    size: int = 2


def checked(bundle: object, name: str = "a") -> str:
    """It holds."""
    # a comment
    return f"{helper(2)} {Kept.size} {name!r} {percentile([1.0], 50)}"


def unrelated() -> int:
    return OTHER
'''


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """The digest of `checked` in a module of this source; the module always has the same name."""
    name = "sample_of_a_check"

    def of(source: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
        sys.modules.pop(name, None)
        forget()
        return code.sha256(importlib.import_module(name).checked)

    yield of
    sys.modules.pop(name, None)
    forget()


def forget() -> None:
    """What was read of modules is read again."""
    for found in vars(code).values():
        if hasattr(found, "cache_clear"):
            found.cache_clear()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value + LIMIT", "value - LIMIT"),
        ("LIMIT = 3", "LIMIT = 5"),
        ("size: int = 2", "size: int = 3"),
        ("name!r", "name!s"),
        ('name: str = "a"', 'name: str = "b"'),
        ("[1.0], 50", "[1.0], 95"),
    ],
)
def test_code_that_may_do_something_else_has_another_digest(
    digest: Callable[[str], str], old: str, new: str
) -> None:
    """The check itself, what it calls, and the constants of those count."""
    assert old in BEFORE
    assert digest(BEFORE) != digest(BEFORE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # a comment\n", ""),
        ('    """It holds."""\n', '    """It holds, in other words."""\n'),
        ("return value + LIMIT", "return (\n        value\n        + LIMIT\n    )"),
        ("value: int) -> int", "value: float) -> float"),
        ("OTHER = 4", "OTHER = 40"),
        ('"""A module."""', '"""Another."""'),
    ],
)
def test_code_that_does_the_same_has_the_same_digest(
    digest: Callable[[str], str], old: str, new: str
) -> None:
    """Comments, docstrings, layout, annotations, and what the check does not reach do not count."""
    assert old in BEFORE
    assert digest(BEFORE) == digest(BEFORE.replace(old, new))


def test_what_a_check_reaches_in_other_rooms_counts(digest: Callable[[str], str]) -> None:
    """Another function of the domain is another check, even where only the import differs."""
    other = BEFORE.replace("import percentile", "import clopper_pearson as percentile")

    assert digest(BEFORE) != digest(other)


def test_each_check_has_a_digest_of_its_own() -> None:
    """No two checks are the same code."""
    digests = [registry.code_sha256(name) for name in registry.names()]

    assert len(digests) == len(set(digests))


def test_digests_are_the_same_in_another_process_and_under_another_hash_seed() -> None:
    """What is pinned by one process is compared by another."""
    script = "from rollbook.coverage import registry; print(registry.code_sha256('rollout.split_observed'))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "7", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert registry.code_sha256("rollout.split_observed") == done.stdout.strip()


def test_what_pythons_write_differently_is_told_alike() -> None:
    """Python 3.12 ends the format of a value in a text with an empty text, others do not."""
    width = ast.FormattedValue(value=ast.Name(id="width", ctx=ast.Load()), conversion=-1)
    ours = ast.JoinedStr(values=[ast.Constant(value="<"), width])
    theirs = ast.JoinedStr(values=[ast.Constant(value="<"), width, ast.Constant(value="")])

    assert code._told(ours) == code._told(theirs)
