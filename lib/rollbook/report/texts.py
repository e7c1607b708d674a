"""Texts of others, made fit to be shown: every character visible, none that reorders, none endless."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

LONGEST = 2000
"""Characters of one text in the page; the record has it whole."""
NAME = 80
"""Characters of a name that stands in a heading, a figure or a sentence."""
JOINERS = "\u200c\u200d"
"""Format characters that scripts and emoji need, and that reorder nothing."""
CONTROL_PICTURES = 0x2400

Whole = TypeVar("Whole")


def visible(text: str) -> str:
    """Control and format characters as signs: `␛`, `⟨U+202E⟩`; lone surrogates as `\ufffd`.

    A terminal's colours, a NUL and an override of the reading direction are seen that way, and do nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t " else _sign(one) for one in text)


def _sign(one: str) -> str:
    category = unicodedata.category(one)
    if one in JOINERS or category not in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return one
    code = ord(one)
    if category == "Cs":
        return "\ufffd"
    if code < 0x20:
        return chr(CONTROL_PICTURES + code)
    return "\u2421" if code == 0x7F else f"⟨U+{code:04X}⟩"


def shown(text: str, longest: int = LONGEST) -> str:
    """A text as the page shows it: visible, and cut where it is too long, with a note that says so."""
    if len(text) <= longest:
        return visible(text)
    return f"{visible(text[:longest])}… (cut: {len(text):,} characters in all)"


def short(text: str, longest: int = NAME) -> str:
    """A name as it stands among other words: on one line, and not longer than that."""
    told = visible(" ".join(text[: 4 * longest].split()))
    return told if len(told) <= longest else told[: longest - 1] + "…"


def clean(value: Whole) -> Whole:
    """The same value with every text in it as `shown`: dataclasses, tuples and strings, all the way down."""
    cleaned: Whole = _clean(value)
    return cleaned


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, tuple):
        return tuple(one if isinstance(one, int | float | None) else _clean(one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed: dict[str, Any] = {}
        for field in fields(value):
            before = getattr(value, field.name)
            after = _clean(before)
            if after is not before:
                changed[field.name] = after
        return replace(value, **changed) if changed else value
    if isinstance(value, Mapping):
        raise TypeError("the page is made of dataclasses, tuples, texts and numbers")
    return value
