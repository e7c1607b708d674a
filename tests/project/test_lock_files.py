"""Lock files: every file that an installer may take is named by its hash, and by nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted(
    [
        ROOT / "requirements.lock",
        ROOT / "app" / "requirements.txt",
        *(ROOT / "lib" / "rollbook" / "sandbox" / "requirements").glob("*.lock"),
    ]
)
PIN = re.compile(r"^[A-Za-z0-9._-]+(\[[A-Za-z0-9,._-]+\])?==[^\s;\\]+(\s*;[^\\]*)?$")
HASH = re.compile(r"^--hash=sha256:[0-9a-f]{64}$")

each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)


def requirements(lock: Path) -> list[tuple[str, list[str]]]:
    """Each requirement with its options, comments left out and continued lines joined."""
    lines = [line for line in lock.read_text().splitlines() if not line.strip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    found = []
    for line in filter(str.strip, joined):
        pin, *options = re.split(r"\s+(?=--)", line.strip())
        found.append((pin, options))
    return found


@each_lock
def test_every_requirement_is_one_version(lock: Path) -> None:
    """A requirement is a name and an exact version: no range, no URL, no path, no option of its own."""
    assert [] == [pin for pin, _ in requirements(lock) if not PIN.match(pin)]


@each_lock
def test_every_requirement_has_hashes(lock: Path) -> None:
    """An installer in hash mode takes each requirement, and only by SHA-256."""
    found = requirements(lock)

    assert found
    assert [] == [
        pin for pin, options in found if not options or not all(HASH.match(option) for option in options)
    ]


@each_lock
def test_names_no_package_index(lock: Path) -> None:
    """Where packages come from is the installer's setting and not the project's."""
    assert None is re.search(r"://|--(extra-)?index-url|--find-links", lock.read_text())


def test_every_go_module_has_a_checksum() -> None:
    """go.sum holds module, version and checksum on each line."""
    lines = (ROOT / "lib" / "rollbook" / "sandbox" / "gomod" / "go.sum").read_text().splitlines()

    assert [] == [line for line in lines if not re.fullmatch(r"\S+ v\S+ h1:[A-Za-z0-9+/]{43}=", line)]
