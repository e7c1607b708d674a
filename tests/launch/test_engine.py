"""One notebook through papermill: what comes back when it ends well, fails, or is interrupted."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import nbformat
import pytest

from rollbook.errors import BadInputError, CancelledError, EnvironmentFailedError, RollbookError
from rollbook.launch.engine import execute


def notebook(tmp_path: Path, *cells: str) -> Path:
    path = tmp_path / "in.ipynb"
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]}),
            *(nbformat.v4.new_code_cell(cell) for cell in cells),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(made, path)
    return path


def test_a_notebook_is_executed_with_its_parameters(tmp_path: Path) -> None:
    """The output holds what the cells showed, with the parameter that was given."""
    out = tmp_path / "out.ipynb"

    execute(notebook(tmp_path, "x * 2"), out, {"x": 21}, cwd=tmp_path)

    last = nbformat.read(out, 4).cells[-1]
    assert last.outputs[0]["data"]["text/plain"] == "42"


@pytest.mark.parametrize(
    ("cell", "kind", "words"),
    [
        (
            "import rollbook.errors as e; raise e.BadInputError('no such thing')",
            BadInputError,
            "no such thing",
        ),
        ("1 / 0", RollbookError, "ZeroDivisionError: division by zero"),
        ("import os; os._exit(9)", EnvironmentFailedError, "the kernel of in died"),
        ("raise SystemExit(0)", RollbookError, "SystemExit"),
    ],
)
def test_a_cell_that_fails_tells_what_it_was(
    tmp_path: Path, cell: str, kind: type[RollbookError], words: str
) -> None:
    """An error of ours keeps its kind and so its exit code; a dead kernel is no success."""
    with pytest.raises(kind) as caught:
        execute(notebook(tmp_path, cell), tmp_path / "out.ipynb", {}, cwd=tmp_path)

    assert type(caught.value) is kind
    assert words in str(caught.value)


def test_an_interrupt_reaches_the_running_cell(tmp_path: Path) -> None:
    """The cell sees KeyboardInterrupt and can undo; later cells do not run."""
    ready, undone, later = tmp_path / "ready", tmp_path / "undone", tmp_path / "later"
    cells = (
        f"""
import pathlib, time
try:
    pathlib.Path({str(ready)!r}).touch()
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path({str(undone)!r}).touch()
    raise
""",
        f"pathlib.Path({str(later)!r}).touch()",
    )

    def interrupt() -> None:
        while not ready.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(CancelledError):
        execute(notebook(tmp_path, *cells), tmp_path / "out.ipynb", {}, cwd=tmp_path)

    assert undone.exists()
    assert not later.exists()
