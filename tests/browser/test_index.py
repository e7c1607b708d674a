"""The page of all runs in a browser: without a network, in each medium, on a phone, with a keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser.pages import MEDIA, PHONE, Media, visit
from tests.history import runs

from rollbook.history.index_page import write_index

SCRIPTS = "document.querySelectorAll('script').length"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of twenty runs, of one that failed early, and of a folder that is no run."""
    out = tmp_path_factory.mktemp("reports")
    runs.many(out, 20)
    runs.write(out, runs.run_json(30, [], outcome={"exit_code": 4, "sentence": "No cluster."}), report=False)
    (out / "notes").mkdir()
    return write_index(out)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of no run at all."""
    return write_index(tmp_path_factory.mktemp("empty"))


def test_is_whole_on_its_own(browser: Browser, index: Path, empty: Path) -> None:
    """It asks for nothing, complains about nothing, has no script, and its own links lead somewhere."""
    for page in (index, empty):
        with visit(browser, page) as seen:
            seen.settle()
            assert ([], [], [], 0) == (
                seen.asked,
                seen.errors,
                seen.unresolved(),
                seen.page.evaluate(SCRIPTS),
            )


@pytest.mark.parametrize("media", MEDIA)
def test_everybody_can_read_it(browser: Browser, index: Path, media: Media) -> None:
    """axe-core finds nothing serious, on a light screen, a dark one, or paper."""
    with visit(browser, index) as seen:
        seen.show(media)
        seen.unfold()
        assert [] == seen.serious()


def test_fits_a_phone(browser: Browser, index: Path, empty: Path) -> None:
    """At 390 pixels it does not scroll sideways."""
    for page in (index, empty):
        with visit(browser, page, size=PHONE) as seen:
            seen.unfold()
            assert [] == seen.too_wide()


def test_the_keyboard_comes_to_each_report(browser: Browser, index: Path) -> None:
    """The Tab key comes to the link of every report, newest first, and one can see where one is."""
    with visit(browser, index) as seen:
        stops = [stop for stop in seen.tab_through() if stop.href.endswith("report.html")]
    made = sorted((path.parent.name for path in index.parent.glob("*/report.html")), reverse=True)
    assert [f"{name}/report.html" for name in made] == [stop.href for stop in stops]
    assert all(stop.focus_is_visible for stop in stops)
