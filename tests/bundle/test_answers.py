"""Records read back: damaged ones are told and left out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.bundle.sealed import bundle

from rollbook.bundle.answers import read_answers
from rollbook.bundle.load import load
from rollbook.evidence.folder import RunFolder

RECORD = {
    "v": 1,
    "phase": "canary",
    "cell": None,
    "at": "2026-03-05T09:30:00+00:00",
    "of": "prometheus",
    "call": "query",
    "parameters": {"query": "up"},
    "status": "200",
    "answer": {},
}


def put(root: Path, content: bytes) -> Path:
    """A record under its right name, whatever it holds."""
    digest = hashlib.sha256(content).hexdigest()
    path = root / f"evidence/sha256/{digest[:2]}/{digest}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_answers_are_part_of_the_evidence(tmp_path: Path) -> None:
    """By time, with phase and cell; the seals are no files of the record."""
    evidence = load(RunFolder(bundle(tmp_path)))

    assert [20, 50, 100] == [
        one.answer["status"]["canary"]["weights"]["canary"]["weight"] for one in evidence.answers
    ]
    assert {("canary", 5)} == {(one.phase, one.cell) for one in evidence.answers}
    listed = {one.path for one in evidence.files}
    assert {one.path for one in evidence.answers} <= listed
    assert set() == listed & {"manifest.json", "statement.dsse.json", "report.html"}


def test_an_edited_record_is_not_evidence(tmp_path: Path) -> None:
    """Its name is no longer its digest: it is told, and left out."""
    root = bundle(tmp_path)
    path = sorted((root / "evidence").rglob("*.json"))[0]
    path.write_bytes(path.read_bytes().replace(b'"200"', b'"201"'))

    evidence = load(RunFolder(root))

    assert 2 == len(evidence.answers)
    assert (
        f"{path.relative_to(root).as_posix()} is not believed: its name is not the digest of what it holds."
        in evidence.problems
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        json.dumps({**RECORD, "v": 2}).encode(),
        json.dumps({**RECORD, "v": "x"}).encode(),
        json.dumps({**RECORD, "at": "yesterday"}).encode(),
        json.dumps({**RECORD, "at": "2026-03-05T09:30:00"}).encode(),
        json.dumps({**RECORD, "parameters": []}).encode(),
        json.dumps({**RECORD, "cell": "x"}).encode(),
        json.dumps({key: value for key, value in RECORD.items() if key != "of"}).encode(),
    ],
)
def test_what_is_no_record_is_told(tmp_path: Path, content: bytes) -> None:
    """One sentence that names the file; the others are read all the same."""
    good = put(tmp_path, json.dumps(RECORD).encode())
    bad = put(tmp_path, content)
    problems: list[str] = []

    answers = read_answers(tmp_path, problems)

    assert [good.stem] == [one.id for one in answers]
    assert [True] == [bad.name in problem for problem in problems]


def test_a_run_without_records_has_none(tmp_path: Path) -> None:
    """A run of an earlier rollbook is read without a complaint."""
    problems: list[str] = []
    assert ((), []) == (read_answers(tmp_path, problems), problems)
