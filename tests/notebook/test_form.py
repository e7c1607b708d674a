"""The form: it asks until nothing more is changed, and asks nobody where nobody is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

from rollbook.errors import CancelledError
from rollbook.notebook.form import PROMPT, fill_in
from rollbook.notebook.parameters import CanaryParameters

INTERRUPT = "^C"
CELL = "from rollbook.notebook.parameters import CanaryParameters\n"


@dataclass
class Typist:
    """Answers each prompt with the next line."""

    lines: list[str]
    asked: int = 0

    def __call__(self, prompt: str) -> str:
        self.asked += 1
        line = self.lines.pop(0)
        if line == INTERRUPT:
            raise KeyboardInterrupt
        return line


@dataclass
class FakeScreen:
    """Keeps what was shown."""

    shown: list[tuple[str, str]] = field(default_factory=list)
    cleared: int = 0

    def show(self, html: str, text: str) -> None:
        self.shown.append((html, text))

    def clear(self) -> None:
        self.cleared += 1


def filled(*lines: str) -> tuple[CanaryParameters, FakeScreen]:
    screen = FakeScreen()
    return fill_in(CanaryParameters.of(), Typist([*lines, ""]), screen), screen


def test_an_interrupt_stops_before_anything_is_started() -> None:
    """Who interrupts the prompt gets one line, and what was typed is gone from the output."""
    screen = FakeScreen()

    with pytest.raises(CancelledError, match="stopped at the parameters: nothing was started"):
        fill_in(CanaryParameters.of(), Typist(["rps=80", INTERRUPT]), screen)

    assert 1 == screen.cleared


def test_an_empty_line_takes_the_parameters_as_they_are() -> None:
    """Enter alone settles on what is shown."""
    settled, screen = filled()

    assert CanaryParameters.of() == settled
    assert "nothing was changed" == screen.shown[-1][1]


def test_changes_are_validated_objects() -> None:
    """What was typed is in the result, in the type of its field."""
    settled, screen = filled("rps = 80", "version=1.10")

    assert CanaryParameters.of(rps=80.0, version="1.10") == settled
    assert "changed: version=1.10, rps=80" == screen.shown[-1][1]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("rps=-1", "not taken: rps: Input should be greater than 0 (got -1)"),
        ("rsp=5", "rsp: there is no such name here; perhaps rps"),
        ("eighty", "it must be name=value"),
        ("fault=" + "AKIA" + "Q3EXAMPLE7RTLX2B", "it looks like an AWS access key id"),
    ],
)
def test_a_wrong_answer_is_told_and_changes_nothing(line: str, complaint: str) -> None:
    """The form says what is wrong and asks again; the next right answer takes the complaint away."""
    settled, screen = filled(line, "rps=5")

    assert CanaryParameters.of(rps=5.0) == settled
    assert complaint in screen.shown[1][1]
    assert 'role="alert"' in screen.shown[1][0]
    assert 'role="alert"' not in screen.shown[2][0]


def test_fields_are_shown_with_type_bounds_and_what_was_changed() -> None:
    """The table has the meaning of each field with its bounds; what is typed is escaped."""
    html = filled("rps=80", "fault=<b>")[1].shown[2][0]

    assert "user traffic in requests a second; more than 0, at most 1000" in html
    assert ">80 (changed)<" in html
    assert "&lt;b&gt; (changed)" in html
    assert "<b>" not in html


def test_without_anybody_to_ask_the_parameters_come_back() -> None:
    """In a plain Python process the form shows and asks nothing."""
    parameters = CanaryParameters.of(rps=7)

    assert parameters == parameters.form()


@pytest.fixture(scope="module")
def kernel() -> Iterator[BlockingKernelClient]:
    """A real kernel, as JupyterLab talks to it."""
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_in_a_notebook_the_prompt_is_answered_there(kernel: BlockingKernelClient) -> None:
    """Through a real kernel: the cell waits at the prompt, and goes on with what was typed."""
    prompts: list[str] = []
    answers = ["rps=33", ""]

    def answer(request: dict[str, dict[str, str]]) -> None:
        prompts.append(request["content"]["prompt"])
        kernel.input(answers[len(prompts) - 1])

    texts: list[str] = []

    def seen(message: dict[str, dict[str, dict[str, str]]]) -> None:
        texts.append(message["content"].get("data", {}).get("text/plain", ""))

    kernel.execute_interactive(
        f"{CELL}CanaryParameters.of().form().rps",
        allow_stdin=True,
        stdin_hook=answer,
        output_hook=seen,
        timeout=180,
    )

    assert [PROMPT, PROMPT] == prompts
    assert "33.0" == [text for text in texts if text][-1]
    assert "changed: rps=33" in texts


def test_under_papermill_there_is_the_table_alone() -> None:
    """Executed without anybody there, the cell does not wait: it shows the parameters as a table."""
    source = f"{CELL}parameters = CanaryParameters.of(rps=20).form()\nparameters"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=180, kernel_name="python3").execute()

    (shown,) = notebook.cells[0].outputs
    assert "execute_result" == shown.output_type
    assert "<table>" in shown.data["text/html"]
    assert "more than 0, at most 1000" in shown.data["text/html"]
