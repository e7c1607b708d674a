"""Takes what must not be written out of notebooks, and cuts long text only where nothing of it is split."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Scrub = Callable[[str], str]

REACH = 16_384
"""No secret is longer: two pieces of text that share none are at least this far from each other's end."""
NEARBY = 2_000
"""A line that ends within so many characters is not cut in two."""
CANDIDATES = 16
"""Places that are tried for a cut, each twice as far as the one before, each a scrub of twice REACH."""
LINES = ("source", "text")
STRUCTURE = ("cell_type", "id", "output_type", "name")
"""Fields whose values the notebook format prescribes."""


def scrubbed_cell(cell: Any, scrub: Scrub) -> Any:
    """A copy of a cell without what `scrub` removes, still valid: its structure is left alone."""
    clean = {key: scrubbed(value, scrub, key) for key, value in cell.items() if key != "outputs"}
    if "outputs" in cell:
        clean["outputs"] = [
            {key: value if key in STRUCTURE else scrubbed(value, scrub, key) for key, value in output.items()}
            for output in cell["outputs"]
        ]
    return clean | {key: cell[key] for key in STRUCTURE if key in cell}


def scrubbed(value: Any, scrub: Scrub, key: str = "") -> Any:
    """A copy of a JSON value with `scrub` applied to every text in it, keys and numbers too.

    A text that the format keeps as a list of lines (`key` tells) is scrubbed as one, so that nothing hides
    in the break between two lines; it stays a list.
    """
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {scrub(name): scrubbed(one, scrub, name) for name, one in value.items()}
    if isinstance(value, list):
        return [scrubbed(one, scrub) for one in _lines(value, scrub, key)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = json.dumps(value)
        clean = scrub(text)
        return value if clean == text else clean
    return value


def _lines(value: list[Any], scrub: Scrub, key: str) -> list[Any]:
    """A list, scrubbed as one text when it is the lines of one."""
    is_traceback = key == "traceback"
    if not (is_traceback or key in LINES or "/" in key) or not all(isinstance(one, str) for one in value):
        return value
    whole = ("\n" if is_traceback else "").join(value)
    clean = scrub(whole)
    if clean == whole:
        return value
    return clean.split("\n") if is_traceback else clean.splitlines(keepends=True)


def cut_before(text: str, limit: int, scrub: Scrub | None) -> int:
    """The last place up to `limit` where `text` can be cut: after a line if one ends nearby, and never within
    what `scrub` removes. 0 when there is none.

    To see what it would cut in two, `text` should go on for REACH characters after `limit`.
    """
    at = min(limit, len(text))
    for power in range(CANDIDATES):
        if at <= 0:
            return 0
        at = _near(text.rfind("\n", 0, at) + 1, at)
        if is_safe_cut(text, at, scrub):
            return at
        at -= 2**power
    return 0


def cut_after(text: str, limit: int, scrub: Scrub | None) -> int:
    """The first place from `limit` on where `text` can be cut, as `cut_before`; its end if there is none."""
    at = max(limit, 0)
    for power in range(CANDIDATES):
        at = _near(text.find("\n", at) + 1, at)
        if at >= len(text) or is_safe_cut(text, at, scrub):
            return min(at, len(text))
        at += 2**power
    return len(text)


def _near(line_end: int, at: int) -> int:
    """The end of a line instead of `at`, if it is not far: a line of a megabyte is cut where it must be."""
    return line_end if line_end and abs(line_end - at) <= NEARBY else at


def is_safe_cut(text: str, at: int, scrub: Scrub | None) -> bool:
    """Whether both pieces, scrubbed one by one, are what the whole is when it is scrubbed."""
    if scrub is None:
        return True
    before, after = text[max(0, at - REACH) : at], text[at : at + REACH]
    return scrub(before + after) == scrub(before) + scrub(after)
