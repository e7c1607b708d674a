"""How long work is shown: a live line on a terminal, one line per event anywhere else."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

from rich.console import Console
from rich.status import Status


class Progress(Protocol):
    """Told what goes on. Calls may come from several threads."""

    def say(self, text: str) -> None:
        """Something happened that is worth a line of its own."""

    def now(self, text: str) -> None:
        """What is being done at this moment; often, and worth no line of its own."""


class SilentProgress:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Ignore it."""

    def now(self, text: str) -> None:
        """Ignore it."""


class PlainProgress:
    """Lines with the seconds since the start; the current activity at most every `every_s` seconds."""

    def __init__(self, stream: TextIO, *, every_s: float = 15.0) -> None:
        self._stream = stream
        self._every_s = every_s
        self._start = time.monotonic()
        self._last = self._start

    def say(self, text: str) -> None:
        """Write a line."""
        self._last = time.monotonic()
        print(f"[{self._last - self._start:6.1f} s] {text}", file=self._stream, flush=True)

    def now(self, text: str) -> None:
        """Write a line when the last one is old enough."""
        if time.monotonic() - self._last >= self._every_s:
            self.say(text)


class TerminalProgress:
    """One live line at the bottom, finished things above it. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._start = time.monotonic()

    def __enter__(self) -> TerminalProgress:
        self._status = self._console.status("starting")
        self._status.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def say(self, text: str) -> None:
        """Write a line above the live one."""
        seconds = time.monotonic() - self._start
        self._console.print(f"[dim]{seconds:6.1f} s[/dim]  {text}", highlight=False)

    def now(self, text: str) -> None:
        """Change the live line."""
        if self._status is not None:
            self._status.update(text)


def progress_for(stream: TextIO = sys.stderr) -> TerminalProgress | PlainProgress:
    """The display that fits the stream."""
    console = Console(file=stream)
    return TerminalProgress(console) if console.is_terminal else PlainProgress(stream)
