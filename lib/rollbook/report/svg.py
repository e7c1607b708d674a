"""Turns a matplotlib figure into SVG that lives inside a page: its colours and fonts, and a name."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

import matplotlib as mpl
from matplotlib import rcsetup
from matplotlib.figure import Figure

from rollbook.report.svg_compact import compact

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


def css_colour(stand_in: str) -> str:
    """The page's colour that a stand-in becomes."""
    return _VARIABLES[stand_in]


@contextmanager
def page_style() -> Iterator[None]:
    """Draw within this: matplotlib's defaults, then the page's, whatever the caller's configuration is."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rc("svg", fonttype="none", hashsalt="rollbook")
        mpl.rc("text", color=TEXT, parse_math=False)
        mpl.rc("font", size=11.0)
        mpl.rc("axes", axisbelow=True, prop_cycle=rcsetup.cycler(color=[TEXT]))
        mpl.rc("lines", linewidth=2.0, solid_capstyle="round", solid_joinstyle="round")
        yield


def new_figure(width: float, height: float) -> Figure:
    """A transparent figure of so many CSS pixels; font sizes in points are pixels in it."""
    return Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")


def embed(figure: Figure, *, anchor: str, title: str = "", description: str = "", named: str = "") -> str:
    """The figure as an `<svg>` element. `anchor` must be unique in the page; the texts are escaped here.

    `named` is the anchor of a figure that shows the same: its title and description are this one's too.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # The browser has the fonts, and the text stays text: what DejaVu lacks changes a width at most.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"(<text[^>]*>)([^<]*)", _guarded, buffer.getvalue())
    svg = re.sub(r"\A.*?(?=<svg)", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = svg.replace("xlink:href", "href")
    svg = compact(_own_ids(svg, anchor))
    svg = re.sub(r'font: (?:(\w+) )?([\d.]+)px [^;"]+', _page_font, svg)
    svg = re.sub(r"font-family: [^;\"]+; ?", "", svg)
    svg = re.sub("|".join(_VARIABLES), lambda found: _VARIABLES[found[0]], svg)
    svg = re.sub(r">\s+<", "><", svg).strip()
    viewbox = re.search(r'viewBox="[^"]+"', svg)
    name = named or anchor
    head = f'<svg role="img" aria-labelledby="{name}-title {name}-desc" {viewbox[0] if viewbox else ""}>'
    if not named:
        head += (
            f'<title id="{anchor}-title">{escape(title)}</title>'
            f'<desc id="{anchor}-desc">{escape(description)}</desc>'
        )
    return re.sub(r"\A<svg[^>]*>", lambda _: head, svg)


def _guarded(found: re.Match[str]) -> str:
    """A label in which nothing looks like an attribute, a reference or a stand-in colour."""
    signs = {'"': "&quot;", "(": "&#40;", "#": "&#35;"}
    return found[1] + re.sub(r'["(#]', lambda sign: signs[sign[0]], found[2])


def _own_ids(svg: str, anchor: str) -> str:
    """Keep the ids that are referred to, under short names of this figure's own; drop the rest."""
    used = dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    names = {name: f"{anchor}-{number}" for number, name in enumerate(used)}
    svg = re.sub(r' id="([^"]+)"', lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", svg)
    return re.sub(r'(url\(#|href="#)([^)"]+)', lambda found: f"{found[1]}{names[found[2]]}", svg)


def _page_font(found: re.Match[str]) -> str:
    weight = f"font-weight: {found[1]}; " if found[1] else ""
    return f"{weight}font-size: {float(found[2]):g}px"
