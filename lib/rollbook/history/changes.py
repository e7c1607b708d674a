"""One thing that two runs have, before and after."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import JsonValue

from rollbook.history.noise import Change

NONE = "none"


@dataclass(frozen=True)
class Difference:
    """What became of one thing. `phase` is empty for the run as a whole.

    `before` and `after` are written for people; `basis` says what the judgement rests on, `text` what the
    thing is; `values` are both as numbers or as the record has them, for programs.
    """

    phase: str
    name: str
    before: str
    after: str
    change: Change
    word: str
    """The change in a word or three: `slower`, `more failed`, `within noise`, `changed`."""
    basis: str = ""
    text: str = ""
    values: tuple[JsonValue, JsonValue] | None = None


def differ(phase: str, name: str, before: JsonValue, after: JsonValue) -> Difference:
    """Compare two values as they are; neither is better. Nothing, null and an empty text are one."""
    old, new = (None if value == "" else value for value in (before, after))
    same = old == new and isinstance(old, bool) == isinstance(new, bool)
    return Difference(
        phase,
        name,
        _text(old),
        _text(new),
        Change.SAME if same else Change.DIFFERENT,
        "same" if same else "set" if old is None else "unset" if new is None else "changed",
        values=(old, new),
    )


def _text(value: JsonValue) -> str:
    if value is None:
        return NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
