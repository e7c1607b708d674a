"""Pictures of a run's report, as desktop, phone and paper show it.

From the checkout: `python -m tests.browser.screenshots RUN OUT`. RUN is the folder of a run, whose report is
made anew, or a page.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from playwright.sync_api import Browser
from tests.browser.chromium import CHOICE, find
from tests.browser.pages import DESKTOP, PHONE, Media, started, visit

from rollbook.evidence.folder import RunFolder
from rollbook.report import write
from rollbook.sandbox.home import Cache

SCREENS: dict[str, tuple[tuple[int, int], Media]] = {
    "light": (DESKTOP, "light"),
    "dark": (DESKTOP, "dark"),
    "phone": (PHONE, "light"),
    "phone-dark": (PHONE, "dark"),
}
SHARP = 2.0
"""Pixels of the picture for each pixel of the page."""


def take(browser: Browser, page: Path, out: Path) -> list[Path]:
    """Write a picture of the first screen and of the whole page for each screen, and the page as PDF (A4)."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for name, (size, media) in SCREENS.items():
        for whole in (False, True):
            with visit(browser, page, size=size, scale=1.0 if whole else SHARP) as seen:
                seen.show(media)
                target = out / f"{page.stem}-{name}{'-page' if whole else ''}.png"
                seen.page.screenshot(path=target, full_page=whole, animations="disabled")
                made.append(target)
    with visit(browser, page) as seen:
        target = out / f"{page.stem}.pdf"
        seen.page.pdf(path=target, format="A4", print_background=True)
        made.append(target)
    return made


def main() -> None:
    """Take the pictures that the command line asks for, and print their paths."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("run", type=Path, help="folder of a run, or a page (.html)")
    arguments.add_argument("out", type=Path, help="folder for the pictures")
    given = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory() as scratch,
        started(find(Cache.current(), os.environ.get(CHOICE, ""))) as browser,
    ):
        page = given.run
        if page.is_dir():
            page = write(RunFolder.open(page), Path(scratch) / "report.html")
        for path in take(browser, page, given.out):
            print(path)


if __name__ == "__main__":
    main()
