"""What these pages take from the report, to look and to write like it: style, formats, texts made safe."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from urllib.parse import quote

import jinja2

from rollbook import report
from rollbook.report import formats
from rollbook.report.texts import short

__all__ = ["formats", "link", "page", "short"]

TEMPLATES = "templates"


def page(template: str, **facts: object) -> str:
    """A page of this room as HTML, in the report's style; every text in `facts` is escaped."""
    return _environment().get_template(template).render(style=_style(), formats=formats, **facts)


def link(path: str) -> str:
    """A relative path as an address, whatever bytes its name is made of."""
    return quote(os.fsencode(path))


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("rollbook.history"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    """The report's style sheet, then what these pages add."""
    sheets = (files(report) / TEMPLATES / "page.css", files("rollbook.history") / TEMPLATES / "history.css")
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
