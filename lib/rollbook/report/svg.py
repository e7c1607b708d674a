"""Turns a matplotlib figure into SVG that lives inside a page: its colours and fonts, and a name."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

# Stand-ins for the page's colours: matplotlib writes them out, and `embed` puts the CSS variables there, so
# that one figure serves the light and the dark page. None of them is a colour that anyone sees.
TEXT = "#010001"
MUTED = "#010002"
GRID = "#010003"
STABLE = "#010004"
CANARY = "#010005"
GOOD = "#010006"
BAD = "#010007"
WARN = "#010008"
SURFACE = "#010009"

_VARIABLES = {
    TEXT: "var(--text)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    STABLE: "var(--stable)",
    CANARY: "var(--canary)",
    GOOD: "var(--good)",
    BAD: "var(--bad)",
    WARN: "var(--warn)",
    SURFACE: "var(--surface)",
}


@contextmanager
def page_style() -> Iterator[None]:
    """Draw within this: matplotlib's defaults, then the page's, whatever the caller's configuration is."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rc("svg", fonttype="none", hashsalt="rollbook")
        mpl.rc("text", color=TEXT, parse_math=False)
        mpl.rc("font", size=11.0)
        mpl.rc("axes", edgecolor=GRID, labelcolor=MUTED, axisbelow=True, linewidth=1.0, grid=True)
        mpl.rc("axes.grid", axis="y")
        mpl.rc("axes.spines", top=False, right=False, left=False)
        mpl.rc("grid", color=GRID, linewidth=1.0)
        mpl.rc("xtick", color=GRID, labelcolor=MUTED)
        mpl.rc("ytick", color=GRID, labelcolor=MUTED)
        mpl.rc("xtick.major", size=4.0)
        mpl.rc("ytick.major", size=0.0)
        mpl.rc("lines", linewidth=2.0, solid_capstyle="round", solid_joinstyle="round")
        yield


def new_figure(width: float, height: float) -> Figure:
    """A transparent figure of so many CSS pixels; font sizes in points are pixels in it."""
    return Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")


def embed(figure: Figure, *, anchor: str, title: str, description: str) -> str:
    """The figure as an `<svg>` element. `anchor` must be unique in the page; the texts are escaped here."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = re.sub(r"\A.*?(?=<svg)", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = svg.replace("xlink:href", "href")
    svg = _own_ids(svg, anchor)
    svg = re.sub(r'font: (?:(\w+) )?([\d.]+)px [^;"]+', _page_font, svg)
    svg = re.sub(r"font-family: [^;\"]+; ?", "", svg)
    svg = re.sub("|".join(_VARIABLES), lambda found: _VARIABLES[found[0]], svg)
    svg = re.sub(r">\s+<", "><", svg).strip()
    viewbox = re.search(r'viewBox="[^"]+"', svg)
    head = (
        f'<svg role="img" aria-labelledby="{anchor}-title {anchor}-desc" '
        f"{viewbox[0] if viewbox else ''}>"
        f'<title id="{anchor}-title">{escape(title)}</title>'
        f'<desc id="{anchor}-desc">{escape(description)}</desc>'
    )
    return re.sub(r"\A<svg[^>]*>", lambda _: head, svg)


def _own_ids(svg: str, anchor: str) -> str:
    """Keep the ids that are referred to, under names of this figure's own; drop the rest."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(
        r' id="([^"]+)"', lambda found: f' id="{anchor}-{found[1]}"' if found[1] in used else "", svg
    )
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{anchor}-", svg)


def _page_font(found: re.Match[str]) -> str:
    weight = f"font-weight: {found[1]}; " if found[1] else ""
    return f"{weight}font-size: {float(found[2]):g}px"
