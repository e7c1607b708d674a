"""Notebooks that do not reach their end: signals, deadlines, and kernels that die."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest
from tests.launch.notebooks import executed, notebook, signalled, states

from rollbook.errors import CancelledError, EnvironmentFailedError, ExitCode
from rollbook.launch.cells import CellEvent, CellState
from rollbook.launch.client import exit_words
from rollbook.launch.engine import execute

UNDOING = """
import pathlib, time
try:
    pathlib.Path({ready!r}).touch()
    time.sleep(60)
finally:
    time.sleep(0.3)
    pathlib.Path({undone!r}).touch()
"""
STUBBORN = """
import pathlib, time
pathlib.Path({ready!r}).touch()
while True:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""
LATER = """
import os, pathlib, threading, time
def end():
    while not pathlib.Path({go!r}).exists():
        time.sleep(0.01)
    os._exit(3)
threading.Thread(target=end, daemon=True).start()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_interrupts_the_running_cell(tmp_path: Path, number: signal.Signals) -> None:
    """The cell can undo what it did and is marked as interrupted; later cells do not run."""
    ready, undone, out = tmp_path / "ready", tmp_path / "undone", tmp_path / "out.ipynb"
    path = notebook(tmp_path, "# Release", UNDOING.format(ready=str(ready), undone=str(undone)), "x")

    with signalled(ready, number), pytest.raises(CancelledError) as caught:
        execute(path, out, {}, cwd=tmp_path)

    assert undone.exists()
    assert "cell 3 (Release)" in str(caught.value)
    assert states(out) == ["completed", "interrupted", "not-run"]
    assert executed(out).cells[2].metadata.papermill["exception"] is True
    assert executed(out).metadata.papermill["exception"] is True


def test_a_cell_that_completes_in_spite_of_a_signal_is_completed(tmp_path: Path) -> None:
    """It caught the interrupt and went on to its end; the run ends all the same."""
    ready, out = tmp_path / "ready", tmp_path / "out.ipynb"
    cell = f"""
import pathlib, time
try:
    pathlib.Path({str(ready)!r}).touch()
    time.sleep(60)
except KeyboardInterrupt:
    print("caught")
"""

    with signalled(ready), pytest.raises(CancelledError):
        execute(notebook(tmp_path, cell, "x"), out, {}, cwd=tmp_path)

    assert states(out) == ["completed", "not-run"]


def test_a_cell_that_does_not_hear_is_ended_with_its_kernel(tmp_path: Path) -> None:
    """After the grace period the kernel is killed, and the cell tells why."""
    ready, out = tmp_path / "ready", tmp_path / "out.ipynb"
    path = notebook(tmp_path, STUBBORN.format(ready=str(ready)), "x")

    with signalled(ready), pytest.raises(CancelledError, match=r"did not end within 0\.5 s, so its kernel"):
        execute(path, out, {}, cwd=tmp_path, grace_s=0.5)

    assert states(out) == ["interrupted", "not-run"]
    assert executed(out).cells[1].outputs[-1]["ename"] == "KeyboardInterrupt"


def test_a_cell_has_a_deadline(tmp_path: Path) -> None:
    """At the deadline it is interrupted and can undo; the error names the cell and the deadline."""
    ready, undone, out = tmp_path / "ready", tmp_path / "undone", tmp_path / "out.ipynb"
    path = notebook(tmp_path, "# Wait", UNDOING.format(ready=str(ready), undone=str(undone)), "x")

    with pytest.raises(EnvironmentFailedError) as caught:
        execute(path, out, {}, cwd=tmp_path, cell_timeout_s=3)

    assert undone.exists()
    assert caught.value.what == "in did not end in time"
    assert caught.value.why == "cell 3 (Wait): it passed its deadline of 3 s"
    assert states(out) == ["completed", "timed-out", "not-run"]
    assert executed(out).cells[2].outputs[-1]["ename"] == "DeadlinePassed"


def test_a_notebook_has_a_deadline(tmp_path: Path) -> None:
    """All cells share it, however short each of them is."""
    out = tmp_path / "out.ipynb"
    cells = ["import time"] + ["time.sleep(0.5)"] * 30

    with pytest.raises(EnvironmentFailedError, match="the notebook passed its deadline of 2 s"):
        execute(notebook(tmp_path, *cells), out, {}, cwd=tmp_path, notebook_timeout_s=2)

    assert {"completed", "timed-out", "not-run"} >= set(states(out)) >= {"not-run"}
    assert "failed" not in states(out)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed (signal 9), perhaps out of"),
        ("import os; print('last words', flush=True); os._exit(7)", "exited with code 7"),
    ],
)
def test_a_kernel_that_dies_is_told_as_what_it_was(tmp_path: Path, cell: str, words: str) -> None:
    """The cell reads kernel-died, and both the error and the cell say how the kernel ended."""
    out = tmp_path / "out.ipynb"

    with pytest.raises(EnvironmentFailedError) as caught:
        execute(notebook(tmp_path, cell, "x"), out, {}, cwd=tmp_path)

    assert caught.value.exit_code is ExitCode.ENVIRONMENT_FAILED
    assert caught.value.what == "the kernel of in died"
    assert words in caught.value.why
    assert states(out) == ["kernel-died", "not-run"]
    assert words in executed(out).cells[1].outputs[-1]["evalue"]


def test_a_kernel_that_dies_between_cells_is_found_at_the_next(tmp_path: Path) -> None:
    """Nothing ran when it ended, and still the run does not hang or pass."""
    out, go = tmp_path / "out.ipynb", tmp_path / "go"
    path = notebook(tmp_path, LATER.format(go=str(go)), "time.sleep(60)", "x")

    def look(event: CellEvent) -> None:
        if (event.index, event.state) == (1, CellState.COMPLETED):
            go.touch()

    with pytest.raises(EnvironmentFailedError, match="exited with code 3"):
        execute(path, out, {}, cwd=tmp_path, on_cell=look)

    assert states(out) == ["completed", "kernel-died", "not-run"]


def test_an_interrupt_that_nobody_asked_for_is_one_all_the_same(tmp_path: Path) -> None:
    """Somebody interrupts the kernel past rollbook: the cell reads interrupted and the run is cancelled."""
    out = tmp_path / "out.ipynb"
    cell = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)"

    with pytest.raises(CancelledError):
        execute(notebook(tmp_path, cell, "x"), out, {}, cwd=tmp_path)

    assert states(out) == ["interrupted", "not-run"]


def test_an_interrupt_that_python_drops_is_raised_again(tmp_path: Path) -> None:
    """It lands in a destructor, whose exceptions go nowhere: the cell ends all the same."""
    out = tmp_path / "out.ipynb"
    cell = """
import os, signal, time
class Closing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
Closing()
time.sleep(60)
raise ValueError("nobody heard")
"""

    with pytest.raises(CancelledError):
        execute(notebook(tmp_path, cell, "x"), out, {}, cwd=tmp_path)

    assert states(out) == ["interrupted", "not-run"]


def test_no_kernel_outlives_its_notebook(tmp_path: Path) -> None:
    """Whatever the ends above were, none of their kernels is still there."""
    assert [] == [
        process.pid
        for process in psutil.Process().children(recursive=True)
        if "ipykernel_launcher" in " ".join(process.cmdline())
    ]


def test_ends_of_kernels_in_words() -> None:
    """A signal is named, and the one of the memory killer says what it may mean."""
    assert exit_words(1) == "exited with code 1"
    assert exit_words(-signal.SIGKILL) == "was killed (signal 9), perhaps out of memory"
    assert exit_words(-signal.SIGSEGV) == "was ended by signal 11 (SIGSEGV)"


def test_an_error_that_the_kernel_could_not_show_is_told(tmp_path: Path) -> None:
    """Out of memory, the kernel answers with the error's name and shows nothing: that is the environment."""
    out = tmp_path / "out.ipynb"
    quiet = "get_ipython().showtraceback = lambda *_args, **_named: None"

    with pytest.raises(EnvironmentFailedError, match="no more memory"):
        execute(notebook(tmp_path, quiet, "print(1)\nraise MemoryError", "x"), out, {}, cwd=tmp_path)

    assert states(out) == ["completed", "failed", "not-run"]
    shown = [one for cell in executed(out).cells for one in cell.get("outputs", ())]
    assert "MemoryError" in [one.get("ename") for one in shown]


def test_an_error_is_told_once(tmp_path: Path) -> None:
    """A cell that prints, raises and shows it has that one error."""
    out = tmp_path / "out.ipynb"

    with pytest.raises(EnvironmentFailedError, match="no more memory"):
        execute(notebook(tmp_path, "print(1)\nraise MemoryError"), out, {}, cwd=tmp_path)

    shown = [one for cell in executed(out).cells for one in cell.get("outputs", ())]
    assert ["stream", "error"] == [one.output_type for one in shown]
