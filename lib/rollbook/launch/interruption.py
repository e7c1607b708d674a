"""SIGINT and SIGTERM while a run goes: they are remembered, and whoever runs a cell ends it in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar

from rollbook.errors import CancelledError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether the run was asked to stop.

    The engine looks several times a second while a cell runs, and interrupts it once: a second signal must
    not break the undoing that the first one started.
    """

    current: ClassVar[Interruption | None] = None

    def __init__(self) -> None:
        self.asked = False

    def check(self) -> None:
        """Raise CancelledError when the run was asked to stop."""
        if self.asked:
            raise CancelledError("the run was interrupted")

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """A signal handler: remember, and do nothing that could go wrong in the middle of anything."""
        self.asked = True


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Within the block, SIGINT and SIGTERM end the run in order instead of ending the process.

    Blocks nest: the outermost one's interruption counts for all. Python hands signals to the main thread
    only; in another thread, without such a block around it, signals keep their meaning.
    """
    if Interruption.current is not None:
        yield Interruption.current
        return
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    Interruption.current = interruption
    before = {number: signal.signal(number, interruption.ask) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        Interruption.current = None
