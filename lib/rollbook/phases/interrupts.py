"""An interrupt that got lost on its way is raised again: a canary must not go on as if nobody had asked."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def remembered() -> Iterator[Callable[[], None]]:
    """Give a function that raises KeyboardInterrupt when an interrupt came within the block, once.

    Python drops an exception that is raised in a destructor or a callback of C code, and libraries may
    swallow one. Call it at each turn of a long loop. Signals reach the main thread only: elsewhere it does
    nothing.
    """
    asked = threading.Event()

    def again() -> None:
        if asked.is_set():
            asked.clear()
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield again
        return

    def handler(number: int, frame: FrameType | None) -> None:
        asked.set()
        before(number, frame)

    signal.signal(signal.SIGINT, handler)
    try:
        yield again
    finally:
        signal.signal(signal.SIGINT, before)
