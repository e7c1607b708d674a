"""What a kernel's process itself says, kept from the terminal: of interest only when the kernel ends early.

What cells print comes as messages. This is the rest: a tool's own complaints, and the traceback of a kernel
that loses its sockets while the machine's network goes. A kernel passes on to it what programs of a cell
print, too.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO

from rollbook.launch.scrubbing import REACH, Scrub, cut_after

LOOKED_AT = 4 * REACH
"""Characters from the end that are looked at."""
LINES = 3
LINE = 300
"""Characters of a line that are told."""
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
STACK = re.compile(r"\s|Traceback |(Current t|T)hread 0x|Extension modules: ")
"""How lines begin that belong to a stack, of an exception or of a crash (CPython's faulthandler)."""


class LastWords:
    """A file for a kernel's standard output and standard error, in a private folder that others remove."""

    def __init__(self, folder: Path, scrub: Scrub | None) -> None:
        self._path = folder / "said"
        self._scrub = scrub
        self._from = 0

    def open(self) -> IO[bytes]:
        """Where the kernel is to write, each time to the end. OSError when there can be no such file."""
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(handle, "wb", buffering=0)

    def forget(self) -> None:
        """What it said so far is of no interest: it has started."""
        self._from = self._path.stat().st_size

    def told(self) -> str:
        """The last lines without stacks, scrubbed and shortened, as one line; empty when there are none."""
        try:
            with self._path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                begin = file.seek(max(self._from, end - LOOKED_AT))
                text = file.read().decode(errors="replace")
        except OSError:  # the folder is gone: there is nothing to tell
            return ""
        text = COLOUR.sub("", text)
        if begin > self._from:
            text = text[cut_after(text, REACH, self._scrub) :]
        clean = self._scrub(text) if self._scrub else text
        lines = [line.rstrip() for line in clean.splitlines() if line.strip() and not STACK.match(line)]
        return "; ".join(line if len(line) <= LINE else f"{line[:LINE]} ..." for line in lines[-LINES:])
