"""One browser for the tests of this folder, and pages to look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser.chromium import CHOICE, Chromium, NoChromiumError, find
from tests.browser.pages import started

from rollbook.sandbox.home import Cache


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    """A Chromium; without one, the tests that need it are skipped with the reason.

    In CI, and where one was asked for by name, it is an error: skips would not be noticed there.
    """
    choice = os.environ.get(CHOICE, "")
    try:
        return find(Cache.current(), choice)
    except NoChromiumError as error:
        if choice or os.environ.get("CI"):
            raise
        pytest.skip(f"no Chromium: {error}")


# Not for the whole session: while Playwright runs, no other test of this thread can have an event loop.
@pytest.fixture(scope="module")
def browser(chromium: Chromium) -> Iterator[Browser]:
    """The browser, headless, without a name server."""
    with started(chromium) as running:
        yield running


@pytest.fixture
def page_file(tmp_path: Path) -> Path:
    """Where a test writes a page of its own."""
    return tmp_path / "page.html"
