"""The same bundle gives the same bytes, wherever it is and whatever Python, zone, locale and hashes are."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.report import bundles

from rollbook.evidence.folder import RunFolder

PROGRAM = """
import hashlib, os, sys
from pathlib import Path
os.umask(int(os.environ.get("TEST_UMASK", "022"), 8))
from rollbook.evidence.folder import RunFolder
from rollbook.launch import ci
from rollbook.report import write
folder = RunFolder.open(Path(sys.argv[1]))
ci.write(folder, {})
for path in (write(folder, folder.report), folder.path / "summary.md", folder.path / "junit.xml"):
    print(hashlib.sha256(path.read_bytes()).hexdigest())
"""
PLACES = {
    "Auckland": {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    "Honolulu": {"TZ": "Pacific/Honolulu", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "77", "TEST_UMASK": "077"},
    "Tehran": {
        "TZ": "Asia/Tehran",
        "LC_ALL": "fa_IR.UTF-8",
        "LANG": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "random",
        "PYTHONOPTIMIZE": "1",
        "MPLBACKEND": "pdf",
    },
}
PYTHONS = "ROLLBOOK_TEST_PYTHONS"
"""Other interpreters that have rollbook installed, separated by `:`; CI may name them."""


def digests(python: str, folder: Path, cwd: Path, environment: dict[str, str]) -> list[str]:
    """SHA-256 of page, summary and test report, as another process makes them."""
    done = subprocess.run(
        [python, "-c", PROGRAM, str(folder)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, list[str]]:
    """A run with everything in it, and the digests here."""
    folder = bundles.whole_run(tmp_path_factory.mktemp("runs"))
    return folder, digests(sys.executable, folder.path, folder.path, {"TZ": "UTC", "PYTHONHASHSEED": "0"})


@pytest.mark.parametrize("place", PLACES)
def test_the_place_does_not_matter(place: str, expected: tuple[RunFolder, list[str]], tmp_path: Path) -> None:
    """Another time zone, locale, hash seed, umask, working directory and place change no byte."""
    folder, wanted = expected
    copied = shutil.copytree(folder.path, tmp_path / "elsewhere" / folder.run_id)
    config = tmp_path / "matplotlibrc"
    config.write_text("figure.dpi: 300\nfont.size: 20\nsvg.fonttype: path\n")
    environment = {**PLACES[place], "MATPLOTLIBRC": str(config)}
    assert wanted == digests(sys.executable, copied, tmp_path, environment)


def test_another_python_gives_the_same_bytes(expected: tuple[RunFolder, list[str]], tmp_path: Path) -> None:
    """An interpreter of another version makes the same files."""
    others = [one for one in os.environ.get(PYTHONS, "").split(os.pathsep) if one]
    if not others:
        pytest.skip(f"{PYTHONS} names no other interpreter that has rollbook installed")
    folder, wanted = expected
    for number, python in enumerate(others):
        copied = shutil.copytree(folder.path, tmp_path / str(number) / folder.run_id)
        assert wanted == digests(python, copied, tmp_path, {})


def test_the_digest_is_of_the_page(expected: tuple[RunFolder, list[str]]) -> None:
    """What the other process wrote is what lies in the folder."""
    folder, wanted = expected
    assert wanted[0] == hashlib.sha256(folder.report.read_bytes()).hexdigest()
