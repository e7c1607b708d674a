"""The journal: append-only, ordered, and readable after a writer died."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.clock import SystemClock
from rollbook.errors import EnvironmentFailedError, EvidenceInvalidError
from rollbook.evidence.journal import Journal, Kind, read_journal


def journal(tmp_path: Path, phase: str = "canary") -> Journal:
    return Journal(tmp_path / "journal.jsonl", phase=phase, clock=SystemClock())


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    """What was appended is read back, numbered from 1, also when two writers take turns."""
    journal(tmp_path).append(Kind.DECISION, "weight", {"weight": 20})
    journal(tmp_path, "drill").append(Kind.GATE, "users", {"passed": True})

    read = read_journal(tmp_path / "journal.jsonl")

    assert [(one.seq, one.phase, one.name) for one in read] == [
        (1, "canary", "weight"),
        (2, "drill", "users"),
    ]


def test_a_step_that_raises_is_recorded_as_failed(tmp_path: Path) -> None:
    """A step's end holds its state, its time and the error."""
    book = journal(tmp_path)
    with pytest.raises(ValueError, match="no"), book.step("push image", tag="x"):
        raise ValueError("no")

    started, failed = book.entries()
    assert started.data["state"] == "started"
    assert failed.data["state"] == "failed"
    assert failed.data["error"] == "ValueError: no"
    assert failed.data["seconds"] >= 0


def test_a_torn_last_line_is_left_out_and_written_over(tmp_path: Path) -> None:
    """A writer that died in the middle of a line costs that line alone."""
    book = journal(tmp_path)
    book.append(Kind.STEP, "one")
    with book.path.open("a") as file:
        file.write('{"v": 1, "seq": 2, "ti')

    assert len(book.entries()) == 1
    book.append(Kind.STEP, "two")
    assert [(one.seq, one.name) for one in book.entries()] == [(1, "one"), (2, "two")]


def test_a_broken_line_inside_is_refused(tmp_path: Path) -> None:
    """A line that cannot be read, with others after it, is not passed over in silence."""
    book = journal(tmp_path)
    book.append(Kind.STEP, "one")
    book.append(Kind.STEP, "two")
    book.path.write_text(book.path.read_text().replace('"one"', '"one', 1))

    with pytest.raises(EvidenceInvalidError, match="line 1"):
        book.entries()


def test_a_full_disk_is_an_error_of_the_environment(tmp_path: Path) -> None:
    """A journal that cannot be written says so, with what to do."""
    book = Journal(Path("/dev/full"), phase="canary", clock=SystemClock())
    with pytest.raises(EnvironmentFailedError, match="cannot write the journal"):
        book.append(Kind.STEP, "one")
