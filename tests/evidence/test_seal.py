"""The journal's seal: whole, open or broken."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from rollbook.clock import SystemClock
from rollbook.errors import EvidenceInvalidError
from rollbook.evidence.journal import RESUMED, SCHEMA, Journal, Kind, read_journal
from rollbook.evidence.seal import Seal, journal_state


@pytest.fixture
def book(tmp_path: Path) -> Journal:
    """A journal with two entries."""
    journal = Journal(tmp_path / "journal.jsonl", phase="run", clock=SystemClock())
    journal.append(Kind.RUN, "run started")
    journal.append(Kind.STEP, "one", {"state": "done"})
    return journal


def test_a_sealed_journal_verifies(book: Journal) -> None:
    """The seal is the last entry, counts those before it and holds the digest of all bytes before it."""
    before = book.path.read_bytes()

    seal = book.seal()

    assert {"entries": 2, "sha256": hashlib.sha256(before).hexdigest()} == seal.data
    state = journal_state(book.path)
    assert (Seal.SEALED, 3, seal.data["sha256"]) == (state.state, state.entries, state.sha256)


def test_sealing_twice_is_sealing_once(book: Journal) -> None:
    """A second seal adds nothing when nothing was written since."""
    first = book.seal()
    assert first == book.seal()
    assert 3 == len(book.entries())


def test_a_journal_without_a_seal_is_open(book: Journal, tmp_path: Path) -> None:
    """It says that its writer died or still writes, also after a torn line, and when there is no file."""
    assert Seal.OPEN is journal_state(book.path).state
    with book.path.open("a") as file:
        file.write('{"v": 1, "seq": 3, "ti')
    assert "not sealed" in journal_state(book.path).sentence
    assert Seal.OPEN is journal_state(book.path).state
    assert Seal.OPEN is journal_state(tmp_path / "none.jsonl").state


def test_an_empty_journal_can_be_sealed(tmp_path: Path) -> None:
    """A run that wrote nothing is whole too."""
    Journal(tmp_path / "j.jsonl", phase="run", clock=SystemClock()).seal()
    assert Seal.SEALED is journal_state(tmp_path / "j.jsonl").state


def test_a_torn_line_of_a_writer_that_died_does_not_break_the_seal(book: Journal) -> None:
    """What was torn before the seal is under it like everything else."""
    with book.path.open("a") as file:
        file.write('{"v": 1, "seq": 3, "ti')
    book.append(Kind.STEP, "two")
    book.seal()

    assert (Seal.SEALED, 4) == (journal_state(book.path).state, journal_state(book.path).entries)


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(old, new, 1)


def without_line(number: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return b"".join(lines[:number] + lines[number + 1 :])

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replaced(b'"done"', b'"fake"'), "another digest"),
        (replaced(b'"one"', b'"one" '), "another digest"),
        (lambda content: b"\n" + content, "another digest"),
        (lambda content: content.replace(b"\n", b"\r\n"), "another digest"),
        (replaced(b'"entries": 2', b'"entries": 1'), "the seal is of 1 entries"),
        (without_line(0), "cannot be read"),
        (without_line(1), "cannot be read"),
        (
            lambda content: content + content.splitlines(keepends=True)[1].replace(b'"seq": 2', b'"seq": 4'),
            "entry 4",
        ),
        (
            lambda content: content + content.splitlines(keepends=True)[2].replace(b'"seq": 3', b'"seq": 4'),
            "it is sealed twice",
        ),
    ],
)
def test_a_journal_that_was_changed_after_its_seal_is_broken(
    book: Journal, change: Callable[[bytes], bytes], words: str
) -> None:
    """A byte changed, a line taken out, an entry added: each is found and named."""
    book.seal()
    book.path.write_bytes(change(book.path.read_bytes()))

    state = journal_state(book.path)

    assert Seal.BROKEN is state.state
    assert words in state.sentence


def test_a_run_that_was_taken_up_again_is_sealed_at_its_new_end(book: Journal) -> None:
    """An entry after a seal is preceded by `resumed`; it is open until sealed again, and then verifies."""
    book.seal()
    book.append(Kind.STEP, "two")

    assert ["run started", "one", "sealed", RESUMED, "two"] == [entry.name for entry in book.entries()]
    assert Seal.OPEN is journal_state(book.path).state
    assert "taken up again" in journal_state(book.path).sentence

    book.seal()
    assert (Seal.SEALED, 6) == (journal_state(book.path).state, journal_state(book.path).entries)


def test_a_resumed_entry_of_the_launcher_is_not_doubled(book: Journal) -> None:
    """Who says itself that the run is taken up again says it once."""
    book.seal()
    book.append(Kind.RUN, RESUMED, {"attempt": 2})
    assert [RESUMED] == [entry.name for entry in book.entries() if entry.name == RESUMED]


def test_what_was_sealed_before_a_resumption_stays_sealed(book: Journal) -> None:
    """A change of the first part is found although the second part has a seal of its own."""
    book.seal()
    book.append(Kind.STEP, "two")
    book.seal()
    book.path.write_bytes(book.path.read_bytes().replace(b'"done"', b'"fake"', 1))

    assert Seal.BROKEN is journal_state(book.path).state


def test_a_resumption_that_died_in_its_first_line_is_open(book: Journal) -> None:
    """A torn line after the seal is no change of the record, and not a whole record either."""
    book.seal()
    with book.path.open("a") as file:
        file.write('{"v": 1, "seq": 4, "ti')

    assert Seal.OPEN is journal_state(book.path).state
    book.append(Kind.STEP, "two")
    book.seal()
    assert Seal.SEALED is journal_state(book.path).state


def test_a_journal_of_a_newer_rollbook_is_refused(book: Journal) -> None:
    """It is neither read nor added to, and the error says which version to use."""
    newer = book.path.read_bytes().replace(f'"v": {SCHEMA}'.encode(), f'"v": {SCHEMA + 1}'.encode())
    book.path.write_bytes(newer)

    with pytest.raises(EvidenceInvalidError, match="newer rollbook"):
        read_journal(book.path)
    with pytest.raises(EvidenceInvalidError, match="newer rollbook"):
        book.append(Kind.STEP, "two")
    assert "newer rollbook" in journal_state(book.path).sentence
    assert newer == book.path.read_bytes()
