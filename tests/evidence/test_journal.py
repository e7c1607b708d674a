"""The journal: append-only, ordered, and readable after a writer died."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rollbook.clock import SystemClock
from rollbook.errors import EnvironmentFailedError, EvidenceInvalidError
from rollbook.evidence.journal import Journal, Kind, read_journal
from rollbook.evidence.scrub import Scrubber

SECRET = 'a "very" secret\tvalue/42'
WRITE_BEYOND = """
import resource, sys
from pathlib import Path
from rollbook.clock import SystemClock
from rollbook.errors import RollbookError
from rollbook.evidence.journal import Journal, Kind

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    Journal(Path(sys.argv[1]), phase="canary", clock=SystemClock()).append(Kind.STEP, "x" * 200)
except RollbookError as error:
    print(error)
    sys.exit(error.exit_code)
"""


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


def test_an_entry_that_the_disk_takes_in_part_is_taken_back(tmp_path: Path) -> None:
    """At a limit of the file's size nothing of the entry stays; with room again the numbers go on."""
    book = journal(tmp_path)
    book.append(Kind.STEP, "one")
    before = book.path.read_bytes()

    child = subprocess.run(
        [sys.executable, "-c", WRITE_BEYOND, str(book.path), str(len(before) + 100)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (EnvironmentFailedError.exit_code, "") == (child.returncode, child.stderr)
    assert "cannot write the journal journal.jsonl: File too large" in child.stdout
    assert before == book.path.read_bytes()
    assert 2 == book.append(Kind.STEP, "two").seq


def test_two_writers_at_once_never_take_one_number(tmp_path: Path) -> None:
    """Entries of two processes and two threads are all there, each with its own number."""
    write = (
        "import sys\nfrom pathlib import Path\nfrom rollbook.clock import SystemClock\n"
        "from rollbook.evidence.journal import Journal, Kind\n"
        "book = Journal(Path(sys.argv[1]), phase='other', clock=SystemClock())\n"
        "for number in range(25): book.append(Kind.STEP, 'x')\n"
    )
    book = journal(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", write, str(book.path)])
    with ThreadPoolExecutor(2) as pool:
        for _ in range(50):
            pool.submit(book.append, Kind.STEP, "y")
    assert 0 == child.wait(60)

    assert 75 == len(book.entries())


def test_no_secret_is_in_an_entry(tmp_path: Path) -> None:
    """Names, data, its keys and the error of a step are scrubbed, in the file and in what is returned."""
    book = Journal(
        tmp_path / "journal.jsonl",
        phase=f"canary {SECRET}",
        clock=SystemClock(),
        scrubber=Scrubber.of({"TOKEN": SECRET}),
    )
    entry = book.append(Kind.DECISION, SECRET, {SECRET: [SECRET, 1, True, Path(SECRET)]}, source=SECRET)
    with pytest.raises(ValueError, match="no"), book.for_phase("drill").step("push", url=f"u:{SECRET}"):
        raise ValueError(f"no {SECRET}")
    book.seal()

    assert SECRET not in book.path.read_text()
    assert json.dumps(SECRET)[1:-1] not in book.path.read_text()
    assert entry == book.entries()[0]
    assert {"[secret TOKEN]": ["[secret TOKEN]", 1, True, "[secret TOKEN]"]} == entry.data
