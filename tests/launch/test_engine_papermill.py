"""`papermill --engine rollbook` on a notebook that knows nothing of rollbook."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest
from tests.launch.notebooks import executed, notebook, shown, states

from rollbook.errors import EnvironmentFailedError

PAPERMILL = Path(sys.executable).parent / "papermill"


def command(*arguments: str) -> list[str]:
    return [str(PAPERMILL), "--engine", "rollbook", *arguments]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )


def test_it_runs_like_papermill(tmp_path: Path) -> None:
    """Parameters, relative paths, another working folder, streams to files, its log: as papermill does."""
    (tmp_path / "there").mkdir()
    notebook(tmp_path, "import os; print(x, os.getcwd())", "import sys; print('oh', file=sys.stderr)")

    done = run(
        tmp_path,
        *("in.ipynb", "out.ipynb", "-p", "x", "7", "--cwd", "there", "--log-output"),
        *("--stdout-file", str(tmp_path / "stdout.txt"), "--stderr-file", str(tmp_path / "stderr.txt")),
    )

    assert done.returncode == 0, done.stderr
    assert f"7 {tmp_path / 'there'}\n" == (tmp_path / "stdout.txt").read_text()
    assert "oh\n" == (tmp_path / "stderr.txt").read_text()
    assert f"7 {tmp_path / 'there'}" in done.stderr
    out = executed(tmp_path / "out.ipynb")
    assert shown(out.cells[2]) == f"7 {tmp_path / 'there'}\n"
    assert out.metadata.papermill["output_path"] == "out.ipynb"
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == []


def test_the_notebook_can_go_to_standard_output(tmp_path: Path) -> None:
    """`-` writes it once, at the end."""
    notebook(tmp_path, "x + 1")

    done = run(tmp_path, "in.ipynb", "-")

    assert done.returncode == 0, done.stderr
    assert nbformat.reads(done.stdout, 4).cells[1].outputs[0]["data"]["text/plain"] == "2"


def test_its_exit_code_for_a_dead_kernel_is_kept(tmp_path: Path) -> None:
    """Scripts that know papermill's 138 find it again."""
    notebook(tmp_path, "import os; os._exit(9)")

    done = run(tmp_path, "in.ipynb", "out.ipynb")

    assert done.returncode == 138, done.stderr
    assert "the kernel of in died: cell 2: its kernel exited with code 9" in done.stderr


def test_a_silent_end_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """papermill takes SystemExit(0) for success and so does its caller; the cells and the log do not."""
    path, out = notebook(tmp_path, "import sys; sys.exit(0)", "x", "x"), tmp_path / "out.ipynb"

    papermill.execute_notebook(str(path), str(out), engine_name="rollbook", progress_bar=False)

    assert states(out) == ["failed", "not-run", "not-run"]
    assert "cell 2 ended the notebook by SystemExit; 2 cells after it were not run" in caplog.text


def test_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    """The cell is interrupted and can undo, the notebook is saved, the code is not 0, no kernel is left."""
    notebook(
        tmp_path,
        "import pathlib, time\ntry:\n    pathlib.Path('ready').touch(); time.sleep(60)\n"
        "finally:\n    pathlib.Path('undone').touch()",
        "x",
    )
    running = subprocess.Popen(
        command("in.ipynb", "out.ipynb"), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for(tmp_path / "ready")
        kernels = psutil.Process(running.pid).children(recursive=True)
        running.terminate()
        _, told = running.communicate(timeout=120)
    finally:
        running.kill()

    assert running.returncode == 1, told
    assert "the run was interrupted: cell 2" in told
    assert (tmp_path / "undone").exists()
    assert states(tmp_path / "out.ipynb") == ["interrupted", "not-run"]
    assert len(kernels) == 1
    assert gone(kernels)


def test_a_launcher_that_is_killed_leaves_a_true_notebook(tmp_path: Path) -> None:
    """kill -9: what is on disk is whole and says what was under way; the kernel ends by itself."""
    notebook(
        tmp_path,
        "print('before')",
        "import pathlib, time; pathlib.Path('ready').touch(); time.sleep(60)",
        "x",
    )
    with tempfile.TemporaryDirectory(prefix="r") as temporary:
        running = subprocess.Popen(
            command("in.ipynb", "out.ipynb"),
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": temporary},
            stderr=subprocess.DEVNULL,
        )
        kernels = kernels_when_running(tmp_path, running)
        running.kill()
        running.wait()
        assert states(tmp_path / "out.ipynb") == ["completed", "running", "pending"]
        assert len(kernels) == 1
        assert gone(kernels)


def test_papermills_own_deadline_is_the_cells(tmp_path: Path) -> None:
    """`execution_timeout` is kept, and so are the engine's own settings by keyword."""
    path = notebook(tmp_path, "import time; time.sleep(30)")

    with pytest.raises(EnvironmentFailedError, match="it passed its deadline of 1 s"):
        papermill.execute_notebook(
            str(path),
            str(tmp_path / "out.ipynb"),
            engine_name="rollbook",
            progress_bar=False,
            execution_timeout=1,
            grace_s=5,
        )

    assert states(tmp_path / "out.ipynb") == ["timed-out"]


def test_a_cell_that_may_raise_or_be_skipped_is_treated_as_it_asks(tmp_path: Path) -> None:
    """Jupyter's tags keep their meaning."""
    path = notebook(tmp_path, "raise ValueError('allowed')", "raise ValueError('skipped')", "x")
    made = nbformat.read(path, 4)
    made.cells[1].metadata.tags = ["raises-exception"]
    made.cells[2].metadata.tags = ["skip-execution"]
    nbformat.write(made, path)

    with pytest.raises(papermill.PapermillExecutionError, match="allowed"):
        papermill.execute_notebook(
            str(path), str(tmp_path / "out.ipynb"), engine_name="rollbook", progress_bar=False
        )

    assert states(tmp_path / "out.ipynb") == ["completed", "not-run", "completed"]


def kernels_when_running(folder: Path, running: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The kernels of a papermill as soon as its saved notebook says that a cell runs."""
    try:
        wait_for(folder / "ready")
        deadline = time.monotonic() + 120
        while "running" not in states(folder / "out.ipynb"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return psutil.Process(running.pid).children(recursive=True)
    except BaseException:
        running.kill()
        raise


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.05)


def gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether all have ended, at the latest some seconds from now."""
    return psutil.wait_procs(processes, timeout=60)[1] == []
