"""Whether the kernel said more than was heard: what it prints faster than it can send, it drops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Ledger:
    """Counts a kernel's messages while one cell runs.

    jupyter_client numbers all messages of a process in their ids, `<session>_<process>_<number>`, so a gap is
    what was dropped. A kernel that makes other ids is not counted.
    """

    def __init__(self) -> None:
        self._process = ""
        self._first = self._last = 0
        self._heard = 0

    def begin(self, message: Mapping[str, Any]) -> None:
        """The first message of the cell."""
        self._process, number = _numbered(message)
        self._first = self._last = number
        self._heard = 1

    def heard(self, message: Mapping[str, Any], *, of_cell: bool) -> None:
        """Any later message, on whatever channel; `of_cell` when it belongs to the cell that is counted."""
        process, number = _numbered(message)
        if not process or process != self._process:
            return
        self._heard += 1
        if of_cell:
            self._last = max(self._last, number)

    @property
    def begun(self) -> bool:
        """Whether there was a first message, with a number."""
        return bool(self._process)

    @property
    def lost(self) -> int:
        """How many messages are missing at least, once the cell's last one was heard."""
        return max(0, self._last - self._first + 1 - self._heard) if self._process else 0


def _numbered(message: Mapping[str, Any]) -> tuple[str, int]:
    process, _, number = str(message["header"].get("msg_id", "")).rpartition("_")
    return (process, int(number)) if process and number.isascii() and number.isdigit() else ("", 0)
