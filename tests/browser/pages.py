"""A page opened without a network: what it asked for, what it complained about, and what axe finds in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, Route, sync_playwright
from tests.browser.chromium import Chromium

Media = Literal["light", "dark", "print"]
MEDIA: Sequence[Media] = ("light", "dark", "print")
PHONE = (390, 844)
DESKTOP = (1280, 800)

FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const style = getComputedStyle(one);
  const drawn = (s) => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none';
  const label = one.labels && one.labels[0];
  return {
    tag: one.localName,
    group: one.type === 'radio' ? one.name : '',
    text: (one.textContent || one.id || '').trim().slice(0, 60),
    href: one.getAttribute('href') || '',
    focus_is_visible: drawn(style) || (label ? drawn(getComputedStyle(label)) : false),
    index: [...document.querySelectorAll('*')].indexOf(one),
  };
}"""

WIDER = """(width) => [...document.querySelectorAll('body *')]
  .filter((one) => one.getBoundingClientRect().right > width + 1 && !one.closest('svg :scope'))
  .filter((one) => {
    for (let up = one.parentElement; up && up !== document.body; up = up.parentElement) {
      if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(up).overflowX)) return false;
    }
    return true;
  })
  .slice(0, 5)
  .map((one) => one.localName + (one.id ? '#' + one.id : '') + (one.className ? '.' + one.className : ''))"""

AXE = """() => axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations
  .map((one) => ({
    id: one.id, impact: one.impact, help: one.help,
    nodes: one.nodes.map((node) => node.target.join(' ') + ' | ' + node.failureSummary),
  })))"""

UNRESOLVED = """() => {
  const ids = new Set([...document.querySelectorAll('[id]')].map((one) => one.id));
  const asked = [];
  for (const one of document.querySelectorAll('a[href^="#"]')) {
    asked.push(decodeURIComponent(one.getAttribute('href').slice(1)));
  }
  for (const name of ['for', 'aria-labelledby', 'aria-describedby', 'aria-controls', 'headers']) {
    for (const one of document.querySelectorAll('[' + name + ']')) {
      asked.push(...one.getAttribute(name).split(/\\s+/).filter(Boolean));
    }
  }
  return [...new Set(asked.filter((id) => id && !ids.has(id)))];
}"""


@dataclass(frozen=True)
class Finding:
    """One rule of axe-core that a page breaks; where, and how badly."""

    rule: str
    impact: str
    help: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Stop:
    """An element that the Tab key came to."""

    tag: str
    group: str
    """Name of the group, for a radio button."""
    text: str
    href: str
    focus_is_visible: bool
    index: int
    """Its place among all elements of the page, from 0."""


@dataclass
class Visit:
    """A page that is open, and what has been heard of it since."""

    page: Page
    asked: list[str] = field(default_factory=list)
    """Addresses that it asked for, other than its own; each was refused."""
    errors: list[str] = field(default_factory=list)
    """Errors on its console, and exceptions that nobody caught."""

    def settle(self) -> None:
        """Wait until nothing was asked for in half a second: scripts ask later than the page itself."""
        self.page.wait_for_load_state("networkidle")

    def show(self, media: Media) -> None:
        """Show it as on a light or a dark screen, or on paper."""
        if media == "print":
            self.page.emulate_media(media="print", color_scheme="light")
        else:
            self.page.emulate_media(media="screen", color_scheme=media)

    def unfold(self) -> None:
        """Open everything that can be folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    def axe(self) -> tuple[Finding, ...]:
        """What axe-core finds in the page as it is shown now."""
        self.page.evaluate(AXE_SCRIPT)
        return tuple(
            Finding(one["id"], one["impact"], one["help"], tuple(one["nodes"]))
            for one in self.page.evaluate(AXE)
        )

    def serious(self) -> list[str]:
        """Those of them that are serious or critical, one line each."""
        return [f"{one.rule}: {one.nodes[0]}" for one in self.axe() if one.impact in {"serious", "critical"}]

    def too_wide(self) -> list[str]:
        """What makes the page scroll sideways; empty when nothing does."""
        width, inner = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        if width <= inner:
            return []
        return self.page.evaluate(WIDER, inner) or [f"the page is {width} px wide on {inner} px"]

    def unresolved(self) -> list[str]:
        """Ids that links or labels of the page refer to, and that no element has."""
        found: list[str] = self.page.evaluate(UNRESOLVED)
        return found

    def tab_through(self, most: int = 2000) -> tuple[Stop, ...]:
        """Press Tab from the top of the page until it leaves the page or comes back to where it began."""
        stops: list[Stop] = []
        for _ in range(most):
            self.page.keyboard.press("Tab")
            found = self.page.evaluate(FOCUSED)
            if found is None or (stops and found["index"] == stops[0].index):
                break
            stops.append(Stop(**found))
        return tuple(stops)


@contextmanager
def started(chromium: Chromium) -> Iterator[Browser]:
    """A headless browser without a name server; it ends with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.executable,
            env={**os.environ, **chromium.environment},
            args=["--host-resolver-rules=MAP * ~NOTFOUND", "--font-render-hinting=none"],
        )
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser, path: Path, *, size: tuple[int, int] = DESKTOP, scripts: bool = True, scale: float = 1.0
) -> Iterator[Visit]:
    """Open a file as a page; everything else that it asks for is refused and written down.

    `size` is that of the window in pixels of the page, `scale` the number of a picture's pixels for each.
    """
    address = path.resolve().as_uri()
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        java_script_enabled=scripts,
        device_scale_factor=scale,
        service_workers="block",
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        seen = Visit(page)

        def answer(route: Route) -> None:
            if route.request.url.partition("#")[0] == address:
                route.continue_()
            else:
                route.abort()

        context.route("**/*", answer)
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on("websocket", lambda socket: seen.asked.append(socket.url))
        page.on("console", lambda line: seen.errors.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.goto(address, wait_until="load")
        seen.asked.remove(address)
        yield seen
    finally:
        context.close()
