"""`rollbook verify`: what it prints, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.bundle.sealed import KEY, PUBLIC, bundle, write_keys
from tests.report import runs
from typer.testing import CliRunner, Result

from rollbook.bundle.manifest import evidence_sha256
from rollbook.cli import app
from rollbook.errors import BadInputError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_a_whole_bundle_is_exit_code_0(tmp_path: Path) -> None:
    """It says how much was verified, the digest of the evidence, and that nobody signed it."""
    root = bundle(tmp_path)
    done = run(root)

    assert 0 == done.exit_code
    assert "3 of them records" in done.output
    assert evidence_sha256(root) in done.output
    assert "not signed" in done.output


def test_a_signed_bundle_says_by_whom(tmp_path: Path) -> None:
    """Without a key it names the one that signed; with it, it says that it is this one."""
    root = bundle(tmp_path, key=KEY)
    _private, public = write_keys(tmp_path)

    assert f"signed by {PUBLIC}" in run(root).output
    assert "signed with the key of key.pub.pem" in run(root, "--key", public).output


def test_a_changed_bundle_is_exit_code_6(tmp_path: Path) -> None:
    """Each file has a line that says what was done to it; nothing that it is called can move the cursor."""
    root = bundle(tmp_path)
    (root / "summary.md").write_text("# All good\n")
    (root / "traffic/drill.csv").unlink()
    (root / "evil\x1b[31m.txt").write_text("")
    done = run(root)

    assert 6 == done.exit_code
    assert "changed   summary.md: its digest is not the one in the manifest" in done.output
    assert "removed   traffic/drill.csv" in done.output
    assert "added     evil\\x1b[31m.txt" in done.output


def test_json_has_the_same(tmp_path: Path) -> None:
    """For scripts: verified or not, by whom it is signed, and each problem."""
    root = bundle(tmp_path, key=KEY)
    (root / "summary.md").unlink()
    done = run(root, "--json")
    told = json.loads(done.output)

    assert (6, False, [PUBLIC], 3) == (
        done.exit_code,
        told["verified"],
        told["signed_by"],
        told["records"],
    )
    assert [("summary.md", "removed")] == [(one["path"], one["kind"]) for one in told["problems"]]


def test_a_run_that_was_cut_off_has_no_statement(tmp_path: Path) -> None:
    """It says so, with exit code 6."""
    done = run(runs.cut_off_run(tmp_path).path)

    assert 6 == done.exit_code
    assert "this run has no statement: it was cut off before its end" in done.output


def test_a_folder_that_is_no_run_is_bad_input(tmp_path: Path) -> None:
    """As everywhere."""
    done = run(tmp_path)
    assert isinstance(done.exception, BadInputError)


@pytest.mark.parametrize("name", ["none.pem", "key.pem"])
def test_a_bad_key_is_bad_input(tmp_path: Path, name: str) -> None:
    """One that is not there, and the private one."""
    write_keys(tmp_path)
    done = run(bundle(tmp_path / "out"), "--key", tmp_path / name)
    assert isinstance(done.exception, BadInputError)
