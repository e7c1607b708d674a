"""The executed notebook on disk: whole at every moment, young enough, and honest about a full disk."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from tests.launch.notebooks import executed, notebook, shown, states

from rollbook.errors import EnvironmentFailedError
from rollbook.launch.cells import CellEvent
from rollbook.launch.destination import Remote, destination
from rollbook.launch.engine import execute
from rollbook.launch.saving import LocalFile, Saver

COUNTING = """
import pathlib, time
for number in range(5):
    print(number, flush=True)
    deadline = time.monotonic() + 60
    while not pathlib.Path(f"seen-{number}").exists():  # somebody has seen it in the file on disk
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""


def some_notebook() -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Überschrift\n\ntext"),
            nbformat.v4.new_code_cell(
                "a\nb",
                outputs=[
                    nbformat.v4.new_output("stream", name="stdout", text="one\ntwo"),
                    nbformat.v4.new_output(
                        "display_data", data={"text/html": "<p>\n</p>", "application/json": {"a": ["b", 1]}}
                    ),
                    nbformat.v4.new_output("error", ename="E", evalue="v", traceback=["x", "y"]),
                ],
            ),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


@pytest.mark.parametrize("cells", [0, 1, 2])
def test_a_notebook_in_pieces_is_what_nbformat_writes(tmp_path: Path, cells: int) -> None:
    """Cells that are serialised one by one make the same file, byte by byte."""
    made = some_notebook()
    made.cells = made.cells[:cells]

    saver = Saver(made, LocalFile(tmp_path / "out.ipynb"), None, 3)

    assert nbformat.v4.writes(made) + "\n" == saver.content()


def test_a_changed_cell_is_serialised_again(tmp_path: Path) -> None:
    """A cell is written as it was until somebody says that it changed."""
    made = some_notebook()
    saver = Saver(made, LocalFile(tmp_path / "out.ipynb"), None, 3)
    saver.content()

    made.cells[0].source = "new"
    assert "Überschrift" in saver.content()
    saver.touch(0)

    assert '"new"' in saver.content()


def test_half_a_character_does_not_stop_a_save(tmp_path: Path) -> None:
    """A lone surrogate cannot be UTF-8; the file has it as JSON's escape."""
    made = some_notebook()
    made.cells[0].source = "\ud83d"
    path = tmp_path / "out.ipynb"

    Saver(made, LocalFile(path), None, 3).save()

    assert json.loads(path.read_bytes())["cells"][0]["source"] == ["\ud83d"]


def test_a_long_cell_is_saved_while_it_prints(tmp_path: Path) -> None:
    """In the middle of a cell, the file on disk is whole and has what was printed until a moment ago."""
    out = tmp_path / "out.ipynb"
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            if out.exists():
                cells = json.loads(out.read_text())["cells"]
                text = "".join("".join(one.get("text", "")) for one in cells[1]["outputs"])
                for number in text.split():
                    (tmp_path / f"seen-{number}").touch()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        execute(notebook(tmp_path, COUNTING), out, {}, cwd=tmp_path, save_every_s=0.2)
    finally:
        stop.set()
        thread.join()

    assert "0\n1\n2\n3\n4\n" == shown(executed(out).cells[1])


def test_many_cells_cost_few_saves(tmp_path: Path) -> None:
    """Saves follow the clock and not the cells: a notebook that is saved each hour, at begin and end only."""
    out, times = tmp_path / "out.ipynb", set[int]()

    def look(_event: CellEvent) -> None:
        times.add(out.stat().st_mtime_ns)

    execute(notebook(tmp_path, *["x"] * 60), out, {}, cwd=tmp_path, on_cell=look, save_every_s=3600)

    assert len(times) <= 2
    assert states(out) == ["completed"] * 60


def test_a_place_that_cannot_be_written_is_told_before_a_kernel_starts(tmp_path: Path) -> None:
    """The first save fails: nothing was run."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    ran = tmp_path / "ran"

    with pytest.raises(EnvironmentFailedError, match=r"cannot write out\.ipynb"):
        execute(notebook(tmp_path, f"open({str(ran)!r}, 'w')"), blocked / "out.ipynb", {}, cwd=tmp_path)

    assert not ran.exists()


PRINTING = """
import json, pathlib, time
def saved():
    cell = json.loads(pathlib.Path("out.ipynb").read_text())["cells"][2]
    return cell["metadata"]["papermill"]["status"]
deadline = time.monotonic() + 60
while saved() != "running":
    assert time.monotonic() < deadline
    time.sleep(0.02)
print("x" * 50_000, flush=True)
time.sleep(0.4)
"""
FULL = """
import resource, sys
from pathlib import Path
from rollbook.launch.destination import Remote, destination
from rollbook.launch.engine import execute
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    execute(Path("in.ipynb"), Path("out.ipynb"), {}, cwd=Path("."), save_every_s=0.2)
except Exception as error:
    print(type(error).__name__, int(error.exit_code), error)
"""


@pytest.mark.parametrize(
    ("last", "ended"),
    [
        ("x", "EnvironmentFailedError 4 cannot write out.ipynb: File too large"),
        (
            "import rollbook.errors as e; raise e.GateRefusedError('too many failed')",
            "GateRefusedError 3 too many failed: cannot write out.ipynb: File too large",
        ),
    ],
)
def test_a_disk_that_is_full_does_not_stop_the_cells(tmp_path: Path, last: str, ended: str) -> None:
    """The cells run to their end, the older notebook stays whole, and the end says what was not saved."""
    ran = tmp_path / "ran"
    notebook(tmp_path, "print('before')", PRINTING, f"open({str(ran)!r}, 'w'); x", last)

    done = subprocess.run(
        [sys.executable, "-c", FULL], cwd=tmp_path, capture_output=True, text=True, timeout=180, check=True
    )

    assert done.stdout.startswith(ended)
    assert ran.exists()
    assert "before\n" == shown(executed(tmp_path / "out.ipynb").cells[1])
    assert states(tmp_path / "out.ipynb")[:2] == ["completed", "running"]
    assert [path.name for path in tmp_path.glob(".out*")] == []


def test_the_file_is_never_half_written(tmp_path: Path) -> None:
    """Whoever reads it at any moment, to papermill's own last write, finds a whole notebook."""
    out, stop, read = tmp_path / "out.ipynb", threading.Event(), [0]
    torn: list[str] = []

    def look() -> None:
        while not stop.is_set():
            if out.exists():
                try:
                    json.loads(out.read_text())
                    read[0] += 1
                except ValueError as error:
                    torn.append(str(error))
            time.sleep(0.001)

    thread = threading.Thread(target=look)
    thread.start()
    execute(notebook(tmp_path, *["print('x' * 150_000)"] * 20), out, {}, cwd=tmp_path, save_every_s=0.05)
    stop.set()
    thread.join()

    assert torn == []
    assert read[0] > 10


def test_a_device_is_written_to_and_not_replaced() -> None:
    """`papermill in.ipynb /dev/null` must leave the device where it is."""
    store = destination("/dev/null")

    store.write("{}")

    assert Path("/dev/null").is_char_device()
    assert store.log(0, None) is None


def test_a_place_of_papermills_that_fails_is_a_failure_of_the_environment() -> None:
    """Whatever an object store's client raises."""

    class Broken:
        def write(self, content: str, path: str) -> None:
            raise KeyError("no credentials")

    with pytest.raises(EnvironmentFailedError, match=r"cannot write s3://bucket/out\.ipynb.*no credentials"):
        Remote("s3://bucket/out.ipynb", Broken()).write("{}")
