"""Show a run while it goes: cells as the engine tells, the rest from the journal."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from rollbook.errors import EvidenceInvalidError
from rollbook.evidence.journal import Entry, Kind, read_journal
from rollbook.launch.cells import CellEvent, CellState, place
from rollbook.phases.infrastructure import TERRAFORM

POLL_S = 0.3
GATE_WORDS = {True: "passed", False: "REFUSED", None: "nothing to check"}
QUIET_STEPS = {"archive metrics", "plan"}
QUIET_DECISIONS = {"steps-complete"}


class Progress:
    """Prints to standard error: standard output belongs to the result.

    On a terminal, a line at the bottom shows the cell that runs. Elsewhere each heading of the runbook is a
    line when its cells begin. On GitHub Actions (`environ` says so) each phase is a group that folds.
    """

    def __init__(self, console: Console | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._on_github = environ.get("GITHUB_ACTIONS") == "true"
        self._began = time.monotonic()
        self._phase = ""
        self._title = ""
        self._status: Status | None = None

    def line(self, text: str, style: str = "") -> None:
        """One line with the time since the start."""
        stamp = f"{time.monotonic() - self._began:6.1f} s"
        if self._console.is_terminal:
            content = f"[{style}]{escape(text)}[/]" if style else escape(text)
            self._console.print(f"[dim]{stamp}[/]  {content}")
        else:
            self._plain(f"{stamp}  {self._harmless(text)}")

    def cell(self, event: CellEvent) -> None:
        """A cell began or ended; the engine's `on_cell`."""
        if event.state is CellState.RUNNING:
            if self._status is not None:
                doing = escape(f"{self._phase}: {event.title}" if event.title else self._phase)
                self._status.update(f"{doing} [dim](cell {event.index + 1} of {event.count})[/]")
            elif event.title != self._title:
                self.line(f"  {event.title} (cell {event.index + 1} of {event.count})")
            self._title = event.title
        elif event.state is not CellState.COMPLETED:
            at = place(event.index, event.title)
            self.line(f"  {at}: {event.state.value} after {event.seconds:.1f} s", "red")

    def failed(self, phase: str, why: str) -> None:
        """A phase did not pass: a red line, and on GitHub an annotation of the run."""
        self.line(f"  {phase}: {why}", "red")
        if self._on_github:
            self._plain(f"::error title={_property(f'rollbook {phase}')}::{_data(why)}")

    @contextmanager
    def following(self, phase: str, journal: Path) -> Iterator[None]:
        """While the block runs, show what is added to the journal, as one group."""
        if self._on_github:
            self._plain(f"::group::{_data(phase)}")
        self.line(phase, "bold")
        self._phase, self._title = phase, ""
        stop = threading.Event()
        seen = len(_read(journal))
        thread = threading.Thread(target=self._follow, args=(journal, seen, stop), daemon=True)
        thread.start()
        try:
            if self._console.is_terminal:
                with self._console.status(f"{escape(phase)} ...") as self._status:
                    yield
            else:
                yield
        finally:
            self._status = None
            stop.set()
            thread.join(timeout=5)
            if self._on_github:
                self._plain("::endgroup::")

    def _plain(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _harmless(self, text: str) -> str:
        """On GitHub, a text that somebody else wrote must not be taken for a command."""
        if not self._on_github:
            return text
        return " / ".join(text.splitlines()).replace("##[", "## [")

    def _follow(self, journal: Path, seen: int, stop: threading.Event) -> None:
        while True:
            last_round = stop.wait(POLL_S)
            entries = _read(journal)
            for entry in entries[seen:]:
                text = described(entry)
                if text:
                    failed = entry.data.get("state") == "failed" or entry.data.get("passed") is False
                    self.line(f"  {text}", "red" if failed else "")
            seen = max(seen, len(entries))
            if last_round:
                return


def described(entry: Entry) -> str:
    """A journal entry as one line for people; empty for what is not news."""
    data = entry.data
    if entry.kind is Kind.STEP and entry.name not in QUIET_STEPS:
        if data.get("state") == "done":
            return f"{entry.name} ({data.get('seconds', 0):g} s)"
        if data.get("state") == "failed":
            return f"{entry.name} failed: {data.get('error', '')}"
    if entry.kind is Kind.DECISION and entry.name not in QUIET_DECISIONS:
        if entry.name == "weight":
            return f"Argo set the weight from {data.get('previous')} % to {data.get('weight')} %"
        if entry.name == "analysisrun":
            detail = f": {data['message']}" if data.get("message") else ""
            return f"AnalysisRun {data.get('name')} is {data.get('phase')}{detail}"
        detail = f": {data['message']}" if data.get("message") else ""
        return f"{entry.name}{detail}"
    if entry.kind is Kind.GATE:
        return f"gate {entry.name}: {GATE_WORDS[data.get('passed')]}: {data.get('sentence', '')}"
    if entry.kind is Kind.OBSERVATION and entry.source == TERRAFORM:
        took = f" ({data['seconds']:g} s)" if data.get("seconds") else ""
        return f"{data.get('address')}: {data.get('action')} {entry.name}{took}"
    if entry.kind is Kind.WAIT:
        return f"{entry.name} ({data.get('declared_s', 0):g} s, declared)"
    return ""


def _read(journal: Path) -> tuple[Entry, ...]:
    try:
        return read_journal(journal)
    except (EvidenceInvalidError, OSError):
        return ()  # the run itself complains of its journal; the display only looks


def _data(text: str) -> str:
    """Escaped as GitHub's workflow commands want their text."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escaped as they want what stands before it."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
