"""The form of a runbook's parameters: the fields with their bounds, and a line to type changes into.

It asks through the notebook's own prompt and not through widgets. A runbook changes things, so its cells must
not go on with the defaults while somebody still fills in a form: a prompt holds "run all cells" back until it
is answered, widgets do not. It needs no other package, works in every front end, and leaves a saved notebook
that is whole without scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any, Protocol, TypeVar

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, clear_output, display

from rollbook.errors import BadInputError, CancelledError
from rollbook.notebook.display import form
from rollbook.notebook.parameters import RunbookParameters, from_text, parse_set, validated
from rollbook.notebook.reference import rows, text_table, written

PROMPT = "name=value to change one, Enter to go on, interrupt the kernel to stop: "
Parameters = TypeVar("Parameters", bound=RunbookParameters)
Ask = Callable[[str], str]
"""Shows a prompt and returns what was typed."""


class Screen(Protocol):
    """Where the form is: shown once, then replaced."""

    def show(self, html: str, text: str) -> None:
        """Show the form, or what it is now."""

    def clear(self) -> None:
        """Take away the form and what was typed below it: it may have been a secret, by mistake."""


def fill_in(parameters: Parameters, ask: Ask | None = None, screen: Screen | None = None) -> Parameters:
    """Show the parameters and ask for changes until an empty line; what was settled on, validated.

    Without `ask` and `screen` it is the running notebook that asks; where nobody can answer, the parameters
    come back unchanged and nothing is shown. CancelledError when the prompt is interrupted.
    """
    ask = ask or notebook_prompt()
    if ask is None:
        return parameters
    screen = screen or NotebookScreen()
    changed: frozenset[str] = frozenset()
    complaint = ""
    while True:
        screen.show(*_drawn(parameters, changed, complaint))
        try:
            answer = ask(PROMPT).strip()
        except KeyboardInterrupt:
            screen.clear()
            raise CancelledError(
                "stopped at the parameters", why="nothing was started", next_step="Run the cell again."
            ) from None
        if not answer:
            screen.clear()
            screen.show(*_settled(parameters, changed))
            return parameters
        try:
            name, parameters = _changed(parameters, answer)
        except BadInputError as error:
            complaint = str(error)
        else:
            changed, complaint = changed | {name}, ""


def _changed(parameters: Parameters, answer: str) -> tuple[str, Parameters]:
    """The parameters after one answer, and the name of the one that it set. BadInputError when it is none."""
    model = type(parameters)
    name, text = parse_set(answer)
    value = from_text(model, name, text) if name in model.model_fields else text
    return name, validated(model, {**parameters.model_dump(), name: value}, "not taken")


def _drawn(parameters: RunbookParameters, changed: frozenset[str], complaint: str) -> tuple[str, str]:
    """The form as HTML and as text."""
    model = type(parameters)
    values = {name: written(value) for name, value in parameters.model_dump().items()}
    lines = [
        (row.name, values[row.name] + (" (changed)" if row.name in changed else ""), row.type, row.meaning)
        for row in rows(model)
    ]
    text = text_table(model, values=values)
    return form(("parameter", "value", "type", "meaning"), lines, complaint), f"{text}\n{complaint}".strip()


def _settled(parameters: RunbookParameters, changed: frozenset[str]) -> tuple[str, str]:
    """What was changed, as HTML and as text; the parameters themselves are shown by the notebook."""
    values = parameters.model_dump()
    told = ", ".join(f"{name}={written(values[name])}" for name in values if name in changed)
    text = f"changed: {told}" if told else "nothing was changed"
    return f"<p>{escape(text)}</p>", text


def notebook_prompt() -> Ask | None:
    """The prompt of the running notebook; None outside of one, and where no one is there to answer it."""
    shell: Any = get_ipython()
    kernel = getattr(shell, "kernel", None)
    return input if kernel is not None and kernel._allow_stdin else None


class NotebookScreen:
    """One output of the running cell."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def show(self, html: str, text: str) -> None:
        """Show the form the first time, replace it afterwards."""
        data = {"text/html": html, "text/plain": text}
        if self._handle is None:
            # IPython annotates neither of the two.
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(data, raw=True)  # type: ignore[no-untyped-call]

    def clear(self) -> None:
        """Empty the cell's output, the lines that were typed included."""
        clear_output()  # type: ignore[no-untyped-call]
        self._handle = None
