"""Show a run while it goes: what the journal says, rich on a terminal and plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from rollbook.errors import EvidenceInvalidError
from rollbook.evidence.journal import Entry, Kind, read_journal

POLL_S = 0.3
GATE_WORDS = {True: "passed", False: "REFUSED", None: "nothing to check"}
QUIET_STEPS = {"archive metrics", "plan"}
QUIET_DECISIONS = {"steps-complete"}


class Progress:
    """Prints to standard error: standard output belongs to the result."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._began = time.monotonic()
        self._phase = ""

    def line(self, text: str, style: str = "") -> None:
        """One line with the time since the start."""
        stamp = f"{time.monotonic() - self._began:6.1f} s"
        if self._console.is_terminal:
            content = f"[{style}]{escape(text)}[/]" if style else escape(text)
            self._console.print(f"[dim]{stamp}[/]  {content}")
        else:
            self._console.print(f"{stamp}  {text}", markup=False, soft_wrap=True)

    @contextmanager
    def following(self, phase: str, journal: Path) -> Iterator[None]:
        """While the block runs, show what is added to the journal."""
        self.line(phase, "bold")
        stop = threading.Event()
        seen = len(_read(journal))
        thread = threading.Thread(target=self._follow, args=(journal, seen, stop), daemon=True)
        thread.start()
        try:
            if self._console.is_terminal:
                with self._console.status(f"{phase} ..."):
                    yield
            else:
                yield
        finally:
            stop.set()
            thread.join(timeout=5)

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
    if entry.kind is Kind.WAIT:
        return f"{entry.name} ({data.get('declared_s', 0):g} s, declared)"
    return ""


def _read(journal: Path) -> tuple[Entry, ...]:
    try:
        return read_journal(journal)
    except (EvidenceInvalidError, OSError):
        return ()  # the run itself complains of its journal; the display only looks
