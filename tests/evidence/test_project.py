"""What a project is made of, as records."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from tests.report.runs import HandClock

from rollbook.bundle.answers import read_answers
from rollbook.evidence.answers import Answer
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.project import matches, record_project
from rollbook.evidence.recorder import Recorder
from rollbook.provenance import read_patterns


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with three files in one commit."""
    root = tmp_path / "project"
    for name, text in (("README.md", "# Hello\n"), ("docs/adr/0001-a.md", "a\n"), ("app/x.bin", "\x00")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "first")
    return root


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def recorded(tmp_path: Path, project: Path, *patterns: str) -> tuple[Answer, ...]:
    folder = RunFolder.create(tmp_path, "run")
    record_project(Recorder(folder, HandClock(), "run"), project, patterns)
    return tuple(sorted(read_answers(folder.path), key=lambda one: (one.asked.call, str(one.asked))))


def test_tracked_files_are_known_by_digest(tmp_path: Path, checkout: Path) -> None:
    """Commit, digests as they are on disk, and which files differ from the commit; new files are not ours."""
    (checkout / "README.md").write_text("# Changed\n")
    (checkout / "new.txt").write_text("new")

    (listed,) = recorded(tmp_path, checkout)

    assert ("project", "git ls-files", "ok") == (listed.asked.of, listed.asked.call, listed.status)
    assert ["README.md", "app/x.bin", "docs/adr/0001-a.md"] == sorted(listed.answer["files"])
    assert hashlib.sha256(b"# Changed\n").hexdigest() == listed.answer["files"]["README.md"]
    assert (git(checkout, "rev-parse", "HEAD"), ["README.md"]) == (
        listed.answer["commit"],
        listed.answer["dirty"],
    )


def test_texts_that_are_judged_are_kept(tmp_path: Path, checkout: Path) -> None:
    """Those that a pattern matches, each with its digest."""
    _listed, text = recorded(tmp_path, checkout, "docs/**/*.md", "nowhere/*")

    assert ("read", {"path": "docs/adr/0001-a.md"}) == (text.asked.call, text.asked.parameters)
    assert {"text": "a\n", "sha256": hashlib.sha256(b"a\n").hexdigest()} == text.answer


def test_a_file_that_was_deleted_is_not_there(tmp_path: Path, checkout: Path) -> None:
    """It has no digest, and is told as differing from the commit; a link is followed nowhere."""
    (checkout / "README.md").unlink()
    (checkout / "app/x.bin").unlink()
    (checkout / "app/x.bin").symlink_to("/etc/hostname")

    (listed,) = recorded(tmp_path, checkout)

    assert ["docs/adr/0001-a.md"] == list(listed.answer["files"])
    assert ["README.md", "app/x.bin"] == listed.answer["dirty"]


def test_a_project_without_git_is_walked(tmp_path: Path) -> None:
    """Hidden and generated folders are left out, and there is no commit."""
    root = tmp_path / "plain"
    for name in ("a.txt", ".venv/b.txt", "reports/c.txt", "sub/d.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)

    (listed,) = recorded(tmp_path, root)

    assert (["a.txt", "sub/d.txt"], "", []) == (
        sorted(listed.answer["files"]),
        listed.answer["commit"],
        listed.answer["dirty"],
    )


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("README.md", "README.md", True),
        ("docs/a.md", "*.md", False),
        ("docs/a.md", "docs/*.md", True),
        ("docs/adr/a.md", "docs/*.md", False),
        ("docs/adr/a.md", "docs/**/*.md", True),
        ("docs/a.md", "docs/**/*.md", True),
        ("docs/adr/a.md", "docs/", True),
        ("docs2/a.md", "docs/", False),
        ("docs/adr/0014-x.md", "docs/adr/[0-9]*.md", True),
        ("docs", "**", True),
    ],
)
def test_patterns(path: str, pattern: str, expected: bool) -> None:
    """`*` stays in one folder, `**` crosses folders, a folder means all below it."""
    assert expected is matches(path, pattern)


def test_patterns_come_from_the_requirements(tmp_path: Path) -> None:
    """Paths that checks read, each once; what is only looked for by digest is left out."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/requirements.yaml").write_text(
        """
requirements:
  - id: R-1
    checks:
      - file.contains: {path: README.md, text: x}
      - file.exists: {path: Makefile}
      - rollout.promoted
  - id: R-2
    checks: [{docs.has_toc: {path: README.md}}, {file.contains: {path: [a, b]}}]
  - broken
"""
    )
    own = read_patterns(tmp_path / "nowhere")
    assert (*own, "README.md", "a", "b") == read_patterns(tmp_path)
    (tmp_path / "docs/requirements.yaml").write_text("a: [")
    assert own == read_patterns(tmp_path)
