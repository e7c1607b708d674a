"""The checks themselves: each of them finds the fault that it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser.pages import PHONE, visit

OUTSIDE = "https://rollbook.invalid"
ASKING = {
    "picture": f'<img alt="x" src="{OUTSIDE}/picture.png">',
    "style": f'<link rel="stylesheet" href="{OUTSIDE}/style.css">',
    "script": f'<script src="{OUTSIDE}/script.js"></script>',
    "font": f"<style>@font-face {{ font-family: x; src: url({OUTSIDE}/x) }} b {{ font-family: x }}</style>"
    "<b>x</b>",
    "frame": f'<iframe title="x" src="{OUTSIDE}/"></iframe>',
    "fetch": f"<script>fetch('{OUTSIDE}/data').catch(() => 0)</script>",
    "another file": '<img alt="x" src="other.png">',
}


def page(path: Path, body: str) -> Path:
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>page</title></head>'
        f"<body><main><h1>page</h1>{body}</main></body></html>"
    )
    return path


@pytest.mark.parametrize("body", ASKING.values(), ids=ASKING)
def test_what_a_page_asks_for_is_counted(browser: Browser, page_file: Path, body: str) -> None:
    """A page that asks for anything but itself is found out, and gets no answer."""
    with visit(browser, page(page_file, body)) as seen:
        seen.settle()
        assert 1 == len(seen.asked)


def test_a_whole_page_asks_for_nothing(browser: Browser, page_file: Path) -> None:
    """A page that needs nothing else has no request, no error and no finding."""
    with visit(browser, page(page_file, '<p id="a"><a href="#a">here</a></p>')) as seen:
        seen.settle()
        assert ([], [], [], [], ()) == (
            seen.asked,
            seen.errors,
            seen.unresolved(),
            seen.too_wide(),
            seen.axe(),
        )


def test_errors_are_heard(browser: Browser, page_file: Path) -> None:
    """Errors on the console are kept, and exceptions that nobody caught."""
    with visit(
        browser, page(page_file, "<script>console.error('one'); throw new Error('two')</script>")
    ) as seen:
        assert ["one", "two"] == seen.errors


def test_axe_finds_what_cannot_be_read(browser: Browser, page_file: Path) -> None:
    """Grey on grey is a serious finding, and so only in the media in which it is grey."""
    grey = "<style>@media print { p { color: #bbb; background: #ccc } }</style><p>grey</p>"
    with visit(browser, page(page_file, grey)) as seen:
        assert [] == [found.rule for found in seen.axe()]
        seen.show("print")
        assert [("color-contrast", "serious")] == [(found.rule, found.impact) for found in seen.axe()]


def test_links_to_nowhere_are_found(browser: Browser, page_file: Path) -> None:
    """Anchors that no element has are listed, whoever refers to them."""
    body = '<a href="#gone">x</a><section aria-labelledby="lost">x</section>'
    with visit(browser, page(page_file, body)) as seen:
        assert ["gone", "lost"] == seen.unresolved()


def test_what_is_too_wide_is_found(browser: Browser, page_file: Path) -> None:
    """An element that makes the page scroll sideways is named; one that scrolls within itself is not."""
    wide = '<div style="width: 700px">x</div>'
    body = f'<div id="wide">{wide}</div>'
    with visit(browser, page(page_file, body), size=PHONE) as seen:
        assert ["div"] == seen.too_wide()
    with visit(browser, page(page_file, f'<div style="overflow-x: auto">{wide}</div>'), size=PHONE) as seen:
        assert [] == seen.too_wide()


def test_invisible_focus_is_found(browser: Browser, page_file: Path) -> None:
    """The Tab key's stops come in order, and one whose focus cannot be seen is told."""
    body = '<a href="#a" id="a">one</a><a href="#a" style="outline: none">two</a>'
    with visit(browser, page(page_file, body)) as seen:
        assert [("one", True), ("two", False)] == [
            (stop.text, stop.focus_is_visible) for stop in seen.tab_through()
        ]
