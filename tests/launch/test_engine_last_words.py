"""What a kernel's process writes by itself: kept from the terminal, and told when the kernel ends early."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.launch.notebooks import executed, notebook, shown, states

from rollbook.errors import EnvironmentFailedError
from rollbook.launch.engine import execute
from rollbook.launch.last_words import LINE, LINES, LOOKED_AT, LastWords

DYING = """
import os, sys, time
file = sys.stderr.fileno()  # ipykernel's own copy of the real one
before = os.fstat(file).st_size
os.write(2, b"Assertion failed: the token is hunter2-hunter2\\n")
while os.fstat(file).st_size == before:
    time.sleep(0.01)
os._exit(7)
"""
PRINTING = """
import os, subprocess, sys, time
before = os.fstat(sys.stderr.fileno()).st_size
subprocess.run("echo good; echo bad >&2", shell=True, check=True)
while os.fstat(sys.stderr.fileno()).st_size < before + len("goodbad"):
    time.sleep(0.01)
"""
BELOW_PYTEST = "PYTEST_CURRENT_TEST"
"""Where this is set, ipykernel does not listen to what programs of a cell print."""
SECRET, MARKER = "hunter2-hunter2", "[secret TOKEN]"


def scrub(text: str) -> str:
    return text.replace(SECRET, MARKER)


def words(folder: Path, text: str) -> LastWords:
    """A kernel that said this."""
    made = LastWords(folder, scrub)
    with made.open() as file:
        file.write(text.encode())
    return made


def test_the_last_words_of_a_kernel_that_dies_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """They are in the error and in the cell, without secrets, and nothing of them is on the terminal."""
    monkeypatch.delenv(BELOW_PYTEST)
    out = tmp_path / "out.ipynb"

    with pytest.raises(EnvironmentFailedError) as caught:
        execute(notebook(tmp_path, DYING), out, {}, cwd=tmp_path, scrub=scrub)

    told = f"exited with code 7; Assertion failed: the token is {MARKER}"
    assert caught.value.why.endswith(told)
    assert executed(out).cells[1].outputs[-1]["evalue"].endswith(told)
    assert ("", "") == capfd.readouterr()


def test_a_kernel_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The exception that ended it is told, its stack is not, and the terminal shows neither."""
    spec = tmp_path / "kernels" / "broken" / "kernel.json"
    spec.parent.mkdir(parents=True)
    code = "import no_module_of_that_name"
    argv = [sys.executable, "-c", code, "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Broken", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    path = notebook(tmp_path, "x")
    path.write_text(path.read_text().replace('"name": "python3"', '"name": "broken"'))

    with pytest.raises(EnvironmentFailedError) as caught:
        execute(path, tmp_path / "out.ipynb", {}, cwd=tmp_path)

    assert caught.value.what == "the kernel of in did not start"
    assert caught.value.why.endswith("ModuleNotFoundError: No module named 'no_module_of_that_name'")
    assert "Traceback" not in str(caught.value)
    assert "File" not in str(caught.value)
    assert ("", "") == capfd.readouterr()


def test_what_programs_of_a_cell_print_stays_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both streams arrive in the notebook; a kernel's copy of them does not reach the terminal."""
    monkeypatch.delenv(BELOW_PYTEST)
    out = tmp_path / "out.ipynb"

    execute(notebook(tmp_path, PRINTING), out, {}, cwd=tmp_path)

    assert ["completed"] == states(out)
    assert {"good", "bad"} == set(shown(executed(out).cells[1]).split())
    assert ("", "") == capfd.readouterr()


def test_stacks_and_colours_are_left_out(tmp_path: Path) -> None:
    """Of a traceback the exception stays, of a crash its kind."""
    crash = "Fatal Python error: Aborted\n\nCurrent thread 0x01 (most recent call first):\n  File 'a'\n"
    raised = "Traceback (most recent call last):\n  File 'b'\n    x()\n\x1b[31mValueError\x1b[0m: bad\n"

    told = words(tmp_path, f"{crash}\nExtension modules: a (total: 1)\n{raised}").told()

    assert "Fatal Python error: Aborted; ValueError: bad" == told


def test_what_was_said_before_is_forgotten(tmp_path: Path) -> None:
    """A warning at the start of a kernel is no reason for its end."""
    said = words(tmp_path, "a warning\n")

    said.forget()

    assert "" == said.told()
    with said.open() as file:
        file.write(b"the end\n")
    assert "the end" == said.told()


def test_long_words_are_shortened(tmp_path: Path) -> None:
    """A few lines, each of them cut."""
    told = words(tmp_path, "".join(f"{number}{'x' * 2 * LINE}\n" for number in range(LINES + 1))).told()

    assert [f"{number}{'x' * (LINE - 1)} ..." for number in range(1, LINES + 1)] == told.split("; ")


def test_a_secret_at_the_edge_of_what_is_looked_at_is_not_told_in_part(tmp_path: Path) -> None:
    """Where the look begins in the middle of one, its second half could not be recognised."""
    half = len(SECRET) // 2

    told = words(tmp_path, SECRET + "x" * (LOOKED_AT - half)).told()

    assert f"{'x' * LINE} ..." == told


def test_without_its_folder_nothing_is_told(tmp_path: Path) -> None:
    """Somebody who tidies the temporary folder up takes the reason, and causes no other error."""
    assert "" == LastWords(tmp_path / "gone", scrub).told()
