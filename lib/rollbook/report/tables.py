"""Tables as the page shows them: text cells with a tone, ready to be written as HTML."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell. `tone`: empty, `good`, `bad`, `warn` or `muted`; `code` for text in fixed width."""

    text: str
    tone: str = ""
    code: bool = False
    link: str = ""


@dataclass(frozen=True)
class Column:
    """A column's heading; numbers stand to the right, in figures of one width."""

    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its caption says what is in it; the first cell of each row is the row's heading."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def text(*titles: str) -> tuple[Column, ...]:
    """Columns of words."""
    return tuple(Column(title) for title in titles)


def numbers(*titles: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(title, numeric=True) for title in titles)
