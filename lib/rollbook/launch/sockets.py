"""A folder for one kernel's sockets: its own, private, with a short path, and gone afterwards.

What a launcher that was killed left is removed by the next one. A lock on a file in the folder tells: the
machine drops it with the process that held it, whatever became of that.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "rollbook-kernel-"
LOCK = "lock"
LONGEST = 70
"""A socket's path is at most 107 characters, and names are put behind the temporary folder."""


@contextmanager
def socket_folder(base: Path | None = None) -> Iterator[Path]:
    """The folder while the block runs, in `base` or the temporary folder. OSError when none can be made."""
    base = base or Path(tempfile.gettempdir())
    if len(str(base)) > LONGEST:
        base = Path("/tmp")  # noqa: S108  # mkdtemp makes a private folder in it
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    handle = None
    try:
        # Locked before it has its name: nobody finds a lock that is not held yet.
        handle = os.open(folder / f"{LOCK}.new", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        (folder / f"{LOCK}.new").rename(folder / LOCK)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _sweep(base: Path) -> None:
    """Remove folders whose launcher is gone."""
    for lock in base.glob(f"{PREFIX}*/{LOCK}"):
        try:
            handle = os.open(lock, os.O_RDWR)
        except OSError:
            continue  # somebody else's, or just removed
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue  # its launcher lives
        finally:
            os.close(handle)
