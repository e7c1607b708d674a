"""Makes matplotlib's SVG small: the same picture to a tenth of a pixel, in a third of the bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

_TAG = re.compile(r"<(/?)g\b([^>]*?)(/?)>")
_TOKEN = re.compile(r"([A-Za-z])|(-?\d+(?:\.\d+)?(?:e-?\d+)?)")
_LINE = re.compile(r'<path d="(M[^"CQz]*)"((?: clip-path="[^"]*")? style="fill: none; [^"]*")/>')
_NUMBER = re.compile(r"-?\d+\.\d+")


def compact(svg: str) -> str:
    """The drawing without what draws nothing, and with coordinates in tenths."""
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", svg)
    svg = re.sub(r'<path d="[^"]*"(?: clip-path="[^"]*")? style="fill: none"/>', "", svg)
    svg = re.sub(r' d="([^"]*)"', lambda found: f' d="{_path(found[1])}"', svg)
    svg = re.sub(r' (x|y)="([^"]*)"', lambda found: f' {found[1]}="{_NUMBER.sub(_tenths, found[2])}"', svg)
    return _joined(_without_idle_groups(svg))


def _joined(svg: str) -> str:
    """Lines that follow each other and look alike, such as those of a grid, as one path."""
    kept: list[str] = []
    looks, path = "", ""
    position = 0
    for found in _LINE.finditer(svg):
        between = svg[position : found.start()].strip()
        position = found.end()
        if path and not between and found[2] == looks:
            path += found[1]
            continue
        kept += [f'<path d="{path}"{looks}/>' if path else "", between]
        path, looks = found[1], found[2]
    kept += [f'<path d="{path}"{looks}/>' if path else "", svg[position:]]
    return "".join(kept)


def _tenths(found: re.Match[str]) -> str:
    return _short(round(float(found[0]) * 10))


def _short(tenths: int) -> str:
    """A number of tenths in as few characters as it takes: `12`, `12.5`, `.5`, `-.5`."""
    whole, rest = divmod(abs(tenths), 10)
    sign = "-" if tenths < 0 else ""
    if not rest:
        return f"{sign}{whole}"
    return f"{sign}{whole or ''}.{rest}"


def _path(data: str) -> str:
    """A path of lines by relative moves; one with curves (a marker, a few pixels wide) in hundredths."""
    tokens = _TOKEN.findall(data)
    if any(letter not in "MLz" for letter, _ in tokens if letter):
        return re.sub(r"\s+", " ", _NUMBER.sub(lambda found: f"{float(found[0]):.2f}", data)).strip()
    return "".join(_moves(tokens))


def _moves(tokens: list[tuple[str, str]]) -> Iterator[str]:
    for letter, points in _strokes(tokens):
        if letter == "z":
            yield "z"
            continue
        x, y = points[0]
        yield f"M{_short(x)} {_short(y)}"
        for before, after in pairwise(_corners(points)):
            yield _line(after[0] - before[0], after[1] - before[1])


def _strokes(tokens: list[tuple[str, str]]) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Each stroke's points in tenths, and each closing `z`."""
    points: list[tuple[int, int]] = []
    letter, pending, waits = "", 0, False
    for name, number in tokens:
        if name:
            if points and name in "Mz":
                yield "M", points
                points = []
            if name == "z":
                yield "z", []
            letter = name
        elif waits:
            points.append((pending, round(float(number) * 10)))
            waits = False
        else:
            pending, waits = round(float(number) * 10), True
    if points:
        yield letter, points


def _corners(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The points without those that lie on a level or upright line between their neighbours."""
    kept = points[:1]
    for point in points[1:]:
        if point == kept[-1]:
            continue
        if len(kept) > 1 and any(
            kept[-2][axis] == kept[-1][axis] == point[axis]
            and (kept[-1][1 - axis] - kept[-2][1 - axis]) * (point[1 - axis] - kept[-1][1 - axis]) > 0
            for axis in (0, 1)
        ):
            kept.pop()
        kept.append(point)
    return kept


def _line(right: int, down: int) -> str:
    if not down:
        return f"h{_short(right)}"
    if not right:
        return f"v{_short(down)}"
    step = _short(down)
    return f"l{_short(right)}{'' if step.startswith('-') else ' '}{step}"


def _without_idle_groups(svg: str) -> str:
    """Take away groups without attributes: they change nothing of what they hold."""
    kept: list[str] = []
    opened: list[bool] = []
    position = 0
    for tag in _TAG.finditer(svg):
        closing, attributes, alone = tag[1], tag[2].strip(), tag[3]
        idle = not opened.pop() if closing else not attributes
        if not closing and not alone:
            opened.append(bool(attributes))
        kept.append(svg[position : tag.start()])
        if not idle and not (alone and not closing):
            kept.append(tag[0])
        position = tag.end()
    kept.append(svg[position:])
    return "".join(kept)


@dataclass
class Styles:
    """Collects the inline styles of a page's figures as classes, numbered as they come."""

    names: dict[str, str] = field(default_factory=dict)

    def collected(self, svg: str) -> str:
        """The drawing with a class in place of each inline style."""
        return re.sub(r' style="([^"]*)"', lambda found: f' class="{self._name(found[1])}"', svg)

    def _name(self, style: str) -> str:
        short = re.sub(r"\s*([:;,])\s*", r"\1", style).strip(";")
        return self.names.setdefault(short, f"g{len(self.names)}")

    def css(self) -> str:
        """The classes as a style sheet, one a line."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self.names.items())
