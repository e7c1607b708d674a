"""Small HTML for the notebooks: a table, and badges in words rather than colours alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(header: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """An HTML table; every cell is escaped."""
    head = "".join(f'<th scope="col" style="text-align:left">{escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{escape(_text(cell))}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    title = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def form(header: Sequence[str], rows: Iterable[Sequence[object]], complaint: str = "") -> str:
    """A table of fields, and a complaint about the last change to one, if any."""
    told = f'<p role="alert"><strong>{escape(complaint)}</strong></p>' if complaint else ""
    return f"{table(header, rows)}{told}"


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:g}"
    return str(cell)
