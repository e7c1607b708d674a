"""The report as a browser shows it: without a network, in each medium, with a keyboard, without scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser
from tests.browser.pages import MEDIA, PHONE, Media, visit
from tests.report import runs

from rollbook.coverage.keeping import begin_coverage, finish_coverage
from rollbook.evidence.folder import RunFolder
from rollbook.report import write

KINDS: dict[str, Callable[[Path], RunFolder]] = {
    "full": runs.full_run,
    "refused": runs.refused_run,
    "cut off": runs.cut_off_run,
    "cancelled": runs.cancelled_run,
    "bare": runs.bare_run,
    "empty traffic": runs.empty_traffic_run,
}

CONTROLS = ["a", "summary", "input", "select", "button", "textarea"]

REACHABLE = """(controls) => {
  const groups = new Set();
  const all = [...document.querySelectorAll('*')];
  return all.map((one, index) => [one, index]).filter(([one]) => {
    if (!controls.includes(one.localName) || one.localName === 'a' && !one.href) return false;
    if (one.disabled || !one.checkVisibility({visibilityProperty: true})) return false;
    if (one.type !== 'radio') return true;
    // The Tab key comes to one of a group of radio buttons only, the arrow keys to the others.
    const first = !groups.has(one.name);
    groups.add(one.name);
    return first;
  }).map(([one, index]) => one.type === 'radio' ? one.name : String(index));
}"""

UNSEEN = """() => [...document.querySelectorAll('details > *:not(summary)')]
  .filter((one) => !one.checkVisibility()).map((one) => one.parentElement.innerText.slice(0, 60))"""

FILTERS = """() => [...document.querySelectorAll('.filter input')].map((one) => ({
  group: one.name, id: one.id, number: Number(one.labels[0].innerText.match(/\\d+$/)[0]),
}))"""

ROWS = """() => [...document.querySelectorAll('.matrix tbody tr')]
  .filter((one) => one.checkVisibility()).length"""

FILES = """() => [...document.querySelectorAll('[href], [src]')]
  .map((one) => one.getAttribute('href') || one.getAttribute('src'))
  .filter((address) => !address.startsWith('#') && !address.startsWith('data:'))"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, project: Path) -> dict[str, Path]:
    """A report of each kind of run; that of the full run has the project's own requirements."""
    made = {}
    for kind, make in KINDS.items():
        folder = make(tmp_path_factory.mktemp("run"))
        if kind == "full":
            begin_coverage(folder, project)
            finish_coverage(folder, project)
        made[kind] = write(folder, folder.report)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_is_whole_on_its_own(browser: Browser, reports: dict[str, Path], kind: str) -> None:
    """It asks for nothing, complains about nothing, and each link within it leads somewhere."""
    with visit(browser, reports[kind]) as seen:
        seen.unfold()
        seen.settle()
        assert ([], [], []) == (seen.asked, seen.errors, seen.unresolved())


@pytest.mark.parametrize("media", MEDIA)
def test_everybody_can_read_it(browser: Browser, reports: dict[str, Path], media: Media) -> None:
    """axe-core finds nothing serious in a full report, on a light screen, a dark one, or paper."""
    with visit(browser, reports["full"]) as seen:
        seen.show(media)
        seen.unfold()
        assert [] == seen.serious()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "full"])
def test_everybody_can_read_what_went_wrong(browser: Browser, reports: dict[str, Path], kind: str) -> None:
    """axe-core finds nothing serious in the report of a run that was refused, cut off or cancelled."""
    with visit(browser, reports[kind]) as seen:
        seen.unfold()
        assert [] == seen.serious()


@pytest.mark.parametrize("kind", KINDS)
def test_fits_a_phone(browser: Browser, reports: dict[str, Path], kind: str) -> None:
    """At 390 pixels the page does not scroll sideways, folded or unfolded."""
    with visit(browser, reports[kind], size=PHONE) as seen:
        folded = seen.too_wide()
        seen.unfold()
        assert ([], []) == (folded, seen.too_wide())


def test_the_keyboard_reaches_everything(browser: Browser, reports: dict[str, Path]) -> None:
    """The Tab key comes to each link, fold and control in order, and each time one can see where one is."""
    with visit(browser, reports["full"]) as seen:
        stops = [stop for stop in seen.tab_through() if stop.tag in CONTROLS]
        reached = [stop.group or str(stop.index) for stop in stops]
        assert seen.page.evaluate(REACHABLE, CONTROLS) == reached
        assert [] == [stop for stop in stops if not stop.focus_is_visible]


def test_the_keyboard_unfolds(browser: Browser, reports: dict[str, Path]) -> None:
    """Enter opens a fold."""
    with visit(browser, reports["full"]) as seen:
        fold = seen.page.locator("details:not([open])").first.element_handle()
        assert fold is not None
        seen.page.evaluate("(fold) => fold.querySelector('summary').focus()", fold)
        seen.page.keyboard.press("Enter")
        assert fold.evaluate("(fold) => fold.open")


def test_needs_no_script(browser: Browser, reports: dict[str, Path]) -> None:
    """With scripts switched off the page shows the same text; it has none that could run."""
    with visit(browser, reports["full"]) as seen:
        text = seen.page.inner_text("body")
        running = seen.page.locator("script:not([type='application/json'])").count()
    with visit(browser, reports["full"], scripts=False) as seen:
        assert (text, 0) == (seen.page.inner_text("body"), running)


def test_prints_what_is_folded(browser: Browser, reports: dict[str, Path]) -> None:
    """On paper nobody can open a fold: what is in it is printed."""
    with visit(browser, reports["full"]) as seen:
        hidden = seen.page.evaluate(UNSEEN)
        seen.show("print")
        assert (True, []) == (len(hidden) > 0, seen.page.evaluate(UNSEEN))


def test_filters_requirements_without_a_script(browser: Browser, reports: dict[str, Path]) -> None:
    """Each choice of a filter shows as many requirements as it says, and paper shows all of them."""
    with visit(browser, reports["full"], scripts=False) as seen:
        everything = seen.page.evaluate(ROWS)
        choices = seen.page.evaluate(FILTERS)
        for choice in choices:
            seen.page.check(f"[id='{choice['id']}']")
            assert (choice["id"], choice["number"]) == (choice["id"], seen.page.evaluate(ROWS))
            seen.page.check(f"input[name='{choice['group']}'] >> nth=0")
        seen.page.check(f"[id='{choices[-1]['id']}']")
        seen.show("print")
        assert everything == seen.page.evaluate(ROWS)
    assert {"fs", "fk", "fl"} == {choice["group"] for choice in choices}


def test_links_to_files_that_are_there(browser: Browser, reports: dict[str, Path], project: Path) -> None:
    """Each link to a file finds it: in the run's folder, or two folders above, in the project."""
    with visit(browser, reports["full"]) as seen:
        addresses = {unquote(address.partition("#")[0]) for address in seen.page.evaluate(FILES)}
    files = {
        address: project / address.removeprefix("../../")
        if address.startswith("../../")
        else reports["full"].parent / address
        for address in addresses
    }
    assert [] == sorted(address for address, file in files.items() if not file.is_file())
