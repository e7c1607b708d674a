"""SIGINT and SIGTERM while a run goes: the running cell is interrupted, and the run ends in order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar

from rollbook.errors import CancelledError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether the run was asked to stop, and the kernel that must hear of it."""

    current: ClassVar[Interruption | None] = None

    def __init__(self) -> None:
        self.asked = False
        self._kernel_pid: int | None = None

    def kernel_runs(self, pid: int | None) -> None:
        """From now on this kernel's cell is the one to interrupt; None when it has ended."""
        self._kernel_pid = pid

    def check(self) -> None:
        """Raise CancelledError when the run was asked to stop."""
        if self.asked:
            raise CancelledError("the run was interrupted")

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """A signal handler: interrupt the running cell, once; a second signal must not break its undoing."""
        if self.asked:
            return
        self.asked = True
        if self._kernel_pid is not None:
            try:
                os.kill(self._kernel_pid, signal.SIGINT)
            except ProcessLookupError:
                self._kernel_pid = None


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Within the block, SIGINT and SIGTERM end the run in order instead of ending the process.

    Blocks nest: the outermost one's interruption counts for all.
    """
    if Interruption.current is not None:
        yield Interruption.current
        return
    interruption = Interruption()
    Interruption.current = interruption
    before = {number: signal.signal(number, interruption.ask) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        Interruption.current = None
