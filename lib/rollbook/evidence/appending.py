"""Lines at the end of a file: one writer at a time, each line whole or not there, and on disk."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress

LOCK_S = 2.0


def lock(handle: int) -> None:
    """Keep other writers out until `handle` is closed.

    Waits 2 s at most: a holder that hangs, or a file system without locks, must not hold up a run's end.
    """
    until = time.monotonic() + LOCK_S
    while time.monotonic() < until:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.005)
        except OSError:
            return
        else:
            return


def append_line(handle: int, line: str) -> None:
    """Write a line and see it on disk. OSError when the disk refuses; what it took of it is taken back."""
    rest = memoryview((line + "\n").encode("utf-8", errors="backslashreplace"))
    size = os.fstat(handle).st_size
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, size)
        raise
