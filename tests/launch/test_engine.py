"""One notebook through papermill: what comes back when it ends well or a cell raises."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.launch.notebooks import executed, notebook, states

from rollbook.errors import BadInputError, EnvironmentFailedError, ExitCode, RollbookError
from rollbook.launch.cells import CellEvent, CellState, titles
from rollbook.launch.engine import execute
from rollbook.launch.sockets import LOCK, PREFIX, socket_folder


def test_a_notebook_is_executed_with_its_parameters(tmp_path: Path) -> None:
    """The output holds what the cells showed, with the parameter and in the folder that were given."""
    out, folder = tmp_path / "out.ipynb", tmp_path / "there"
    folder.mkdir()

    execute(notebook(tmp_path, "x * 2", "# Text", "import os; os.getcwd()", ""), out, {"x": 21}, cwd=folder)

    cells = executed(out).cells
    assert cells[2].outputs[0]["data"]["text/plain"] == "42"
    assert cells[4].outputs[0]["data"]["text/plain"] == repr(str(folder))
    assert ["completed"] * 5 == states(out)
    assert [False] * 6 == [cell.metadata.papermill["exception"] for cell in cells]
    assert executed(out).metadata.papermill["exception"] is None
    assert executed(out).metadata.language_info["name"] == "python"


@pytest.mark.parametrize(
    ("cell", "kind", "words"),
    [
        (
            "import rollbook.errors as e; raise e.BadInputError('no such thing')",
            BadInputError,
            "no such thing",
        ),
        ("1 / 0", RollbookError, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", RollbookError, "SystemExit"),
    ],
)
def test_a_cell_that_raises_tells_what_it_was(
    tmp_path: Path, cell: str, kind: type[RollbookError], words: str
) -> None:
    """An error of ours keeps its kind and so its exit code; cells after it are marked as not run."""
    out = tmp_path / "out.ipynb"

    with pytest.raises(kind) as caught:
        execute(notebook(tmp_path, "x", cell, "x", "# Text"), out, {}, cwd=tmp_path)

    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert states(out) == ["completed", "failed", "not-run", "not-run"]
    cells = [cell for cell in executed(out).cells if "papermill" in cell.metadata]
    assert [cell.metadata.papermill["exception"] for cell in cells] == [False, False, True, None, None]


def test_cells_tell_when_they_begin_and_end(tmp_path: Path) -> None:
    """The callback hears each code cell twice, with the heading above it and its time."""
    heard: list[CellEvent] = []
    path = notebook(tmp_path, "# First", "import time; time.sleep(0.1)", "# Second", "1 / 0", "x")

    with pytest.raises(RollbookError):
        execute(path, tmp_path / "out.ipynb", {}, cwd=tmp_path, on_cell=heard.append)

    assert [(one.index, one.title, one.state) for one in heard] == [
        (0, "", CellState.RUNNING),
        (0, "", CellState.COMPLETED),
        (2, "First", CellState.RUNNING),
        (2, "First", CellState.COMPLETED),
        (4, "Second", CellState.RUNNING),
        (4, "Second", CellState.FAILED),
    ]
    assert {one.count for one in heard} == {6}
    assert heard[3].seconds >= 0.1


def test_the_heading_above_is_the_title() -> None:
    """The last heading counts, of whatever level; what looks like one in a block of code does not."""
    cells = [
        {"cell_type": "code", "source": "# no heading"},
        {"cell_type": "markdown", "source": "# One\ntext\n## Two ##"},
        {"cell_type": "code", "source": ""},
        {"cell_type": "markdown", "source": "```\n# shell\n```"},
        {"cell_type": "markdown", "source": "#hashtag"},
    ]

    assert titles(cells) == ("", "Two", "Two", "Two", "Two")


def test_no_kernel_is_a_failure_of_the_environment(tmp_path: Path) -> None:
    """A kernel that is not installed is told by its name."""
    path = notebook(tmp_path, "x")
    path.write_text(path.read_text().replace('"name": "python3"', '"name": "fortran77"'))

    with pytest.raises(EnvironmentFailedError, match=r"the kernel of in did not start.*fortran77"):
        execute(path, tmp_path / "out.ipynb", {}, cwd=tmp_path)

    assert states(tmp_path / "out.ipynb") == ["not-run"]


def test_a_display_that_raises_leaves_no_cell_running(tmp_path: Path) -> None:
    """What a callback raises ends the run, and the saved notebook says so."""

    def broken(event: CellEvent) -> None:
        if event.index == 1:
            raise ValueError("broken display")

    with pytest.raises(ValueError, match="broken display"):
        execute(notebook(tmp_path, "x", "x"), tmp_path / "out.ipynb", {}, cwd=tmp_path, on_cell=broken)

    assert states(tmp_path / "out.ipynb") == ["failed", "not-run"]


def test_neither_sockets_nor_kernels_are_left(tmp_path: Path) -> None:
    """The folder of the kernel's sockets goes with the kernel, and so do its processes."""
    code = f"""
import psutil, tempfile
from pathlib import Path
from rollbook.launch.engine import execute
from rollbook.launch.sockets import LOCK, PREFIX, socket_folder
try:
    execute(Path({str(notebook(tmp_path, "1 / 0"))!r}), Path("out.ipynb"), {{}}, cwd=Path("."))
except Exception as error:
    left = list(Path(tempfile.gettempdir()).iterdir())
    print(int(error.exit_code), psutil.Process().children(recursive=True), left)
"""
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )

    assert f"{int(ExitCode.BUG)} [] []\n" == done.stdout


def test_what_a_killed_launcher_left_is_removed_by_the_next() -> None:
    """Folders of sockets whose launcher lives are left alone, and so are those of others."""
    with tempfile.TemporaryDirectory(prefix="r") as temporary:
        base = Path(temporary)
        abandoned, others = base / f"{PREFIX}abandoned", base / f"{PREFIX}others"
        abandoned.mkdir()
        (abandoned / LOCK).touch()
        others.mkdir()

        with socket_folder(base) as first, socket_folder(base) as second:
            assert {path.name for path in base.iterdir()} == {first.name, second.name, others.name}

        assert [path.name for path in base.iterdir()] == [others.name]


def test_a_temporary_folder_with_a_long_path_is_not_used(tmp_path: Path) -> None:
    """A socket's path has at most 107 characters, so the kernel gets a folder elsewhere."""
    long = tmp_path / ("x" * 80)
    long.mkdir()

    with socket_folder(long) as folder:
        assert len(str(folder)) < 107 - len("/k-12345")


def test_the_engine_is_cheap_to_load() -> None:
    """Every papermill of the environment loads it: neither papermill nor an adapter comes with it."""
    code = "import sys, rollbook.launch.engine; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    modules = {name.split(".")[0] for name in loaded.stdout.split()}
    assert modules & {"papermill", "nbclient", "nbformat", "zmq", "kubernetes", "boto3", "pydantic"} == set()
    assert "rollbook.phases" not in loaded.stdout
