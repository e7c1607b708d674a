"""What a notebook's cells are called, what became of each, and what the engine is asked to do with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


class CellState(StrEnum):
    """What became of a cell; the value is `metadata.papermill.status` in the executed notebook."""

    PENDING = "pending"
    """It was not its turn when the notebook was saved."""
    RUNNING = "running"
    """It ran when the notebook was saved."""
    COMPLETED = "completed"
    FAILED = "failed"
    """It raised."""
    INTERRUPTED = "interrupted"
    """SIGINT or SIGTERM came while it ran."""
    TIMED_OUT = "timed-out"
    """A deadline passed while it ran, its own or the notebook's."""
    KERNEL_DIED = "kernel-died"
    """The kernel ended while it ran."""
    NOT_RUN = "not-run"
    """The notebook ended before it, or the cell is tagged to be skipped."""


@dataclass(frozen=True)
class CellEvent:
    """A code cell began (`state` is RUNNING, `seconds` 0) or ended.

    `index` counts from 0 among all `count` cells of the executed notebook, text included; `title` is the
    nearest heading above, empty when there is none.
    """

    index: int
    count: int
    title: str
    state: CellState
    seconds: float


@dataclass(frozen=True)
class Ending:
    """Why a notebook did not reach its last cell's end: the cell, what became of it, and in words."""

    index: int
    state: CellState
    why: str


@dataclass(frozen=True)
class EngineOptions:
    """What the engine does beyond running cells in order. Times are in seconds; None is no limit."""

    notebook_timeout_s: float | None = None
    """From the start of the kernel to the end of the last cell."""
    cell_timeout_s: float | None = None
    grace_s: float = 60.0
    """How long an interrupted cell may take to undo what it did, before its kernel is killed."""
    save_every_s: float = 3.0
    """The executed notebook is saved at most this often while something changes."""
    output_cap: int = 200_000
    """Characters of printed text that a cell keeps in the notebook; all of it then is in a file beside it."""
    scrub: Callable[[str], str] | None = None
    """Applied to every text before it is written to a file."""
    on_cell: Callable[[CellEvent], None] | None = None


def titles(cells: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """For each cell the nearest heading above it (in it, for a cell of text), empty when there is none."""
    found: list[str] = []
    title = ""
    for cell in cells:
        if cell.get("cell_type") == "markdown":
            headings = HEADING.findall(FENCED.sub("", str(cell.get("source", ""))))
            title = headings[-1] if headings else title
        found.append(title)
    return tuple(found)


def place(index: int, title: str) -> str:
    """A cell as people look for it: its number, counted from 1, and the heading that it is under."""
    return f"cell {index + 1} ({title})" if title else f"cell {index + 1}"
