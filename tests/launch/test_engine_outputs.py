"""What a cell prints: capped in the notebook, whole in a file beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.launch.notebooks import executed, notebook, shown

from rollbook.launch.engine import execute
from rollbook.launch.ledger import Ledger
from rollbook.launch.notebook_json import new_output
from rollbook.launch.outputs import BLOCK, Log, Outputs
from rollbook.launch.scrubbing import REACH

SECRET = "hunter2-hunter2"


def without_secret(text: str) -> str:
    return text.replace(SECRET, "[gone]")


def printed(outputs: Outputs) -> str:
    return "".join(one["text"] for one in outputs.rendered() if one["output_type"] == "stream")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "out.1.log", None)


def test_what_fits_stays_as_it_is(log: Log) -> None:
    """Under the cap nothing is cut and no file is made."""
    outputs = Outputs(1_000, log, None)

    outputs.stream("stdout", "one\n")
    outputs.stream("stdout", "two\n")
    outputs.stream("stderr", "three\n")
    outputs.close()

    assert [(one["name"], one["text"]) for one in outputs.rendered()] == [
        ("stdout", "one\ntwo\n"),
        ("stderr", "three\n"),
    ]
    assert not log.path.exists()


@pytest.mark.parametrize("lines_at_once", [1, 7, 100_000])
@pytest.mark.parametrize("count", [100, 2_000, 100_000])
def test_head_and_tail_are_kept_and_all_of_it_is_in_the_file(
    log: Log, count: int, lines_at_once: int
) -> None:
    """Whole lines are kept, the sentence between them counts what is cut, and the file lacks nothing."""
    outputs = Outputs(2_000, log, None)
    lines = [f"line {number}\n" for number in range(count)]

    if count == 100:
        lines = [f"{line.strip()} {'x' * 50}\n" for line in lines]
    for start in range(0, count, lines_at_once):
        outputs.stream("stdout", "".join(lines[start : start + lines_at_once]))
    outputs.close()

    text = printed(outputs)
    head, tail = re.split(r"\n\[\.\.\. .* \.\.\.\]\n", text)
    cut = re.search(r"([\d,]+) characters, ([\d,]+) lines are cut here: out\.1\.log has all of it", text)
    assert cut
    kept = head.splitlines(keepends=True) + tail.splitlines(keepends=True)
    assert kept == lines[: len(head.splitlines())] + lines[-len(tail.splitlines()) :]
    assert 1_500 < len(head) + len(tail) <= 2_000
    assert int(cut[1].replace(",", "")) == sum(map(len, lines)) - len(head) - len(tail)
    assert int(cut[2].replace(",", "")) == count - len(kept)
    assert "".join(lines) == log.path.read_text()


def test_a_line_without_an_end_is_cut_all_the_same(log: Log) -> None:
    """A megabyte without a line end does not pass for one that must not be cut."""
    outputs = Outputs(2_000, log, None)

    outputs.stream("stdout", "x" * 1_000_000)

    assert 1_500 < len(printed(outputs)) < 2_200


def test_what_is_not_text_is_kept_where_it_was(log: Log) -> None:
    """A figure amid a flood of lines is not lost with them."""
    outputs = Outputs(2_000, log, None)
    figure = new_output("display_data", data={"text/plain": "figure"})

    for part in range(3):
        outputs.stream("stdout", "a line of text\n" * 5_000)
        if part < 2:
            outputs.add(figure)

    kinds = [one["output_type"] for one in outputs.rendered()]
    assert kinds == ["stream", "stream", "display_data", "display_data", "stream"]


def test_changing_streams_at_every_line_is_capped_too(log: Log) -> None:
    """Each change is another output of the notebook, which costs more than the text itself."""
    outputs = Outputs(20_000, log, None)

    for number in range(50_000):
        outputs.stream("stdout" if number % 2 else "stderr", "x\n")

    assert len(json.dumps(outputs.rendered())) < 40_000


def test_clearing_forgets_what_was_shown(log: Log) -> None:
    """At once, or when something else comes: a bar that is drawn anew leaves one line."""
    outputs = Outputs(2_000, log, None)

    outputs.stream("stdout", "one")
    outputs.clear(wait=True)
    assert "one" == printed(outputs)
    outputs.stream("stdout", "two")
    assert "two" == printed(outputs)
    outputs.clear(wait=False)

    assert outputs.rendered() == []


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The cell goes on, and the sentence says that the file is not whole and why."""
    outputs = Outputs(100, Log(tmp_path / "nowhere" / "out.1.log", None), None)

    outputs.stream("stdout", "x\n" * 200)
    outputs.close()

    assert "No such file" in outputs.problem
    assert "out.1.log has the rest only in part: No such file" in printed(outputs)


@pytest.mark.parametrize("before", [*range(930, 1_010, 7), REACH, BLOCK - REACH - 5, BLOCK - 5])
def test_a_cut_never_halves_a_secret(tmp_path: Path, before: int) -> None:
    """Wherever a secret stands, neither the shown text nor the file has a part of it."""
    log = Log(tmp_path / "out.1.log", without_secret)
    outputs = Outputs(2_000, log, without_secret)

    for _ in range(3):
        outputs.stream("stdout", "x" * before + SECRET[:8])
        outputs.stream("stdout", SECRET[8:] + "y" * (BLOCK - before))
    outputs.close()

    text = "".join(without_secret(one["text"]) for one in outputs.rendered())
    assert "hunter2" not in text
    assert "hunter2" not in log.path.read_text()
    assert log.path.read_text().count("[gone]") == 3


def test_a_secret_of_many_lines_is_not_halved_either(tmp_path: Path) -> None:
    """Line ends are where text is cut first, and a key in PEM has many."""
    key = "-----BEGIN-----\n" + "abcdefgh\n" * 100 + "-----END-----\n"
    outputs = Outputs(2_000, Log(tmp_path / "out.1.log", None), lambda text: text.replace(key, "[gone]\n"))

    outputs.stream("stdout", "first\n" + "x" * 500 + "\n" + key + "z\n" * 10_000)

    text = printed(outputs)
    assert "first" in text
    assert "abcdefgh" not in text.replace(key, "")


def message(number: int, process: str = "session_1") -> dict[str, Any]:
    return {"header": {"msg_id": f"{process}_{number}"}}


def test_a_gap_in_the_numbers_of_messages_is_what_was_lost() -> None:
    """Messages of other cells fill numbers too; those of other processes do not."""
    ledger = Ledger()

    ledger.begin(message(10))
    for number, of_cell in [(11, True), (12, False), (14, True), (17, True)]:
        ledger.heard(message(number), of_cell=of_cell)
    ledger.heard(message(99, "session_2"), of_cell=True)

    assert ledger.lost == 3


def test_ids_without_numbers_are_not_counted() -> None:
    """Another kernel may name its messages as it likes."""
    ledger = Ledger()

    ledger.begin({"header": {"msg_id": "c0ffee-01"}})
    ledger.heard({"header": {"msg_id": "c0ffee-99"}}, of_cell=True)

    assert (ledger.begun, ledger.lost) == (False, 0)


def test_no_line_of_a_flood_is_lost(tmp_path: Path) -> None:
    """5,000 lines, each sent by itself: a small notebook, and every line in the file."""
    out = tmp_path / "out.ipynb"
    cell = "for number in range(5_000): print('line', number, 'x' * 50, flush=True)"

    execute(notebook(tmp_path, cell, "x"), out, {}, cwd=tmp_path, output_cap=50_000)

    assert "out.2.log has all of it" in shown(executed(out).cells[1])
    assert out.stat().st_size < 80_000
    assert [f"line {number} {'x' * 50}" for number in range(5_000)] == (
        (tmp_path / "out.2.log").read_text().splitlines()
    )


def test_the_log_of_an_earlier_run_does_not_stay(tmp_path: Path) -> None:
    """The notebook that refers to it is replaced; a file that it does not name is not ours."""
    out, other = tmp_path / "out.ipynb", tmp_path / "out.7.log"
    other.write_text("of a person")
    execute(notebook(tmp_path, "print('x\\n' * 900)"), out, {}, cwd=tmp_path, output_cap=500)
    assert (tmp_path / "out.2.log").read_text() == "x\n" * 900 + "\n"

    execute(notebook(tmp_path, "print('x')"), out, {}, cwd=tmp_path, output_cap=500)

    assert not (tmp_path / "out.2.log").exists()
    assert other.read_text() == "of a person"


def test_displays_change_in_place_and_no_late_text_is_lost(tmp_path: Path) -> None:
    """An update reaches an earlier cell, clearing works, and what a thread prints later is kept."""
    out = tmp_path / "out.ipynb"
    thread = "import threading\nlate = threading.Timer(0.3, print, ['from the thread'])\nlate.start()"
    cells = (
        "from IPython.display import display, clear_output; handle = display('first', display_id=True)",
        "handle.update('second')",
        "print('gone'); clear_output(); print('stays')",
        thread,
        "late.join()",
    )

    execute(notebook(tmp_path, *cells), out, {}, cwd=tmp_path)

    done = executed(out).cells[1:]
    assert [one["data"]["text/plain"] for one in done[0].outputs] == ["'second'"]
    assert shown(done[2]) == "stays\n"
    assert "".join(shown(cell) for cell in done[3:]) == "from the thread\n"
