"""Small charts as SVG, in the colours of the page: a bar a run for how it ended, a line for a figure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rollbook.history.rows import Ending

WIDTH, HEIGHT = 320.0, 56.0
EDGE = 4.0
"""Room on all sides, so that a point at the border is whole."""
_TONES = {
    Ending.PASSED: "good",
    Ending.REFUSED: "bad",
    Ending.FAILED: "bad",
    Ending.CANCELLED: "warn",
    Ending.UNFINISHED: "warn",
}
_POINTS = 60
"""A line of at most so many points shows each of them."""


def endings(values: Sequence[Ending], *, anchor: str, title: str, description: str) -> str:
    """A bar a run: up when it passed, down when it failed, half down when it was cut off or cancelled."""
    step = (WIDTH - 2 * EDGE) / max(len(values), 12)
    width = step * (0.7 if step > 2 else 1)
    middle = HEIGHT * 0.6
    tall = {"good": EDGE - middle, "bad": HEIGHT - EDGE - middle, "warn": (HEIGHT - EDGE - middle) / 2}
    bars: dict[str, list[str]] = {"good": [], "bad": [], "warn": []}
    for number, ending in enumerate(values):
        tone = _TONES[ending]
        left = EDGE + number * step
        bars[tone].append(f"M{_n(left)} {_n(middle)}h{_n(width)}v{_n(tall[tone])}h{_n(-width)}z")
    drawn = "".join(
        f'<path fill="var(--{tone})" d="{"".join(parts)}"/>' for tone, parts in bars.items() if parts
    )
    base = f'<path stroke="var(--line)" d="M{_n(EDGE)} {_n(middle)}H{_n(WIDTH - EDGE)}"/>'
    return _svg(base + drawn, anchor, title, description)


def line(
    values: Sequence[float | None], *, ceiling: float | None, anchor: str, title: str, description: str
) -> str:
    """A line from 0 at the bottom; it leads over runs that do not have the figure."""
    known = [(number, value) for number, value in enumerate(values) if value is not None]
    top = ceiling or max((value for _, value in known), default=0.0) or 1.0
    step = (WIDTH - 2 * EDGE) / max(len(values) - 1, 1)
    at = [
        (EDGE + number * step, HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * min(max(value / top, 0.0), 1.0))
        for number, value in known
    ]
    base = f'<path stroke="var(--line)" d="M{_n(EDGE)} {_n(HEIGHT - EDGE)}H{_n(WIDTH - EDGE)}"/>'
    route = "".join(f"{'L' if number else 'M'}{_n(x)} {_n(y)}" for number, (x, y) in enumerate(at))
    drawn = (
        f'<path fill="none" stroke="var(--accent)" stroke-width="1.5" stroke-linejoin="round" d="{route}"/>'
        if len(at) > 1
        else ""
    )
    dots = at if len(at) <= _POINTS else at[-1:]
    drawn += "".join(f'<circle fill="var(--accent)" cx="{_n(x)}" cy="{_n(y)}" r="2.2"/>' for x, y in dots)
    return _svg(base + drawn, anchor, title, description)


def _svg(inside: str, anchor: str, title: str, description: str) -> str:
    return (
        f'<svg class="spark" role="img" aria-labelledby="{anchor}-t {anchor}-d" '
        f'viewBox="0 0 {_n(WIDTH)} {_n(HEIGHT)}">'
        f'<title id="{anchor}-t">{escape(title)}</title><desc id="{anchor}-d">{escape(description)}</desc>'
        f"{inside}</svg>"
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
