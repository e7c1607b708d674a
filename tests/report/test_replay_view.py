"""What other rules would have decided, in the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.report import runs

from rollbook.bundle.manifest import evidence_sha256
from rollbook.evidence.folder import RunFolder
from rollbook.replay.kept import keep
from rollbook.report.build import build
from rollbook.report.replay_view import LARGEST_BYTES, NAME, read


@pytest.fixture
def replayed(tmp_path: Path) -> RunFolder:
    """A run with a good and a bad canary, whose rules were replayed."""
    folder = runs.full_run(tmp_path)
    keep(folder)
    return folder


def test_each_canary_has_its_rules(replayed: RunFolder) -> None:
    """What happened comes first, and each built-in rule has a decision over the same requests."""
    model = build(replayed)

    tables = {view.name: view.replay for view in model.canaries}
    assert {"canary", "drill"} == set(tables)
    for table in tables.values():
        assert table is not None
        assert ["what happened", "judge"] == [row[0].text for row in table.rows[:2]]
        assert len(table.rows) > 3
    drill = tables["drill"]
    assert drill is not None
    happened = drill.rows[0]
    assert ("abort", "detected", "good") == (happened[1].text, happened[5].text, happened[5].tone)


def test_the_file_is_made_of_the_evidence_and_no_part_of_it(tmp_path: Path) -> None:
    """It names the evidence that it was made of, whose digest is the same with it and without it."""
    folder = runs.full_run(tmp_path)
    before = evidence_sha256(folder.path)
    keep(folder)

    assert before == evidence_sha256(folder.path)
    assert before == json.loads((folder.path / NAME).read_bytes())["evidence_sha256"]
    assert () == read(folder.path, before)[1]
    assert "other evidence" in read(folder.path, "0" * 64)[1][0]


def test_a_run_without_canaries_has_no_file(tmp_path: Path) -> None:
    """Nothing is written, and nothing is shown, where users met no new version."""
    folder = runs.bare_run(tmp_path)
    keep(folder)

    assert not (folder.path / NAME).exists()
    assert ({}, ()) == read(folder.path, "")


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"canaries": 7}', b'{"canaries": [{"decisions": []}]}', b"[" * 100_000, b"\xff"],
)
def test_a_file_that_was_changed_is_told_and_not_shown(tmp_path: Path, content: bytes) -> None:
    """Whatever somebody put there, the page is made and says so."""
    (tmp_path / NAME).write_bytes(content)

    found, told = read(tmp_path, "")
    assert {} == found
    assert "cannot be read" in told[0]


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    """Its size is looked at first."""
    (tmp_path / NAME).write_bytes(b" " * (LARGEST_BYTES + 1))

    assert "far too large" in read(tmp_path, "")[1][0]


def test_hostile_words_are_words(replayed: RunFolder) -> None:
    """A rule of any name is shortened and shown as text."""
    path = replayed.path / NAME
    told: dict[str, Any] = json.loads(path.read_bytes())
    told["canaries"][0]["decisions"][0] |= {"rule": "<script>" * 200, "does": "\x00" * 9}
    path.write_text(json.dumps(told))

    table = build(replayed).canaries[0].replay
    assert table is not None
    assert len(table.rows[0][0].text) < 400
