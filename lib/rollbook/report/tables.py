"""Tables as the page shows them: text cells with a tone, ready to be written as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ref:
    """A place in this page where a piece of evidence is listed: what it is called, and its anchor."""

    label: str
    anchor: str


@dataclass(frozen=True)
class Cell:
    """One cell. `tone`: empty, `good`, `bad`, `warn` or `muted`; `code` for text in fixed width.

    `link` is an address, `anchor` makes the cell one that can be linked to, `refs` follow the text.
    """

    text: str = ""
    tone: str = ""
    code: bool = False
    link: str = ""
    anchor: str = ""
    refs: tuple[Ref, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column's heading; numbers stand to the right, in figures of one width."""

    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its caption says what is in it; the first cell of each row is the row's heading.

    `sources` are the records that all of its figures were worked out from.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    sources: tuple[Ref, ...] = ()


def text(*titles: str) -> tuple[Column, ...]:
    """Columns of words."""
    return tuple(Column(title) for title in titles)


def numbers(*titles: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(title, numeric=True) for title in titles)


def capped(
    rows: Sequence[tuple[Cell, ...]], most: int, where: str
) -> tuple[tuple[tuple[Cell, ...], ...], str]:
    """The first rows, and a note about those left out; `where` says which file has them all."""
    left = len(rows) - most
    note = f"And {left:,} more in {where}." if left > 0 else ""
    return tuple(rows[:most]), note


def without_empty_columns(
    columns: Sequence[Column], rows: Sequence[tuple[Cell, ...]]
) -> tuple[tuple[Column, ...], tuple[tuple[Cell, ...], ...]]:
    """The table without columns in which no row says anything."""
    kept = [
        number for number in range(len(columns)) if any(row[number].text or row[number].refs for row in rows)
    ]
    return (
        tuple(columns[number] for number in kept),
        tuple(tuple(row[number] for number in kept) for row in rows),
    )
