"""Takes secrets out of everything before it is written: known values in any spelling, and known shapes.

Known values are looked for in linear time, however many there are: a spelling of n characters holds one of
any n - 3 groups of four characters that follow each other, so that only one group in n - 3 has to be looked
up. A few short spellings would make that every third group; they are searched for one by one.
"""

from __future__ import annotations

import json
import os
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rollbook.evidence.known import known_secrets, parts, too_common
from rollbook.evidence.shapes import looks_like_a_secret, shaped
from rollbook.evidence.spelling import spellings

__all__ = ["Scrubber", "known_secrets", "looks_like_a_secret"]

_GROUP = 4
_LONGEST_STRIDE = 16
_SHORT = _LONGEST_STRIDE + _GROUP - 1
_FEW = 40
# Each alternative begins with a letter of its own: the search for them is fast only then.
_DECORATION = re.compile(
    r"\x1b\[[0-9;]*m|\\u001[bB]\[[0-9;]*m|\r\n[ \t]*|\n[ \t]*|\\r\\n[ \t]*|\\n[ \t]*"
    r"|</?(?:span|tspan|mark|wbr|b|i|em|strong)\b[^<>]*>"
)
"""What may stand in the middle of a value that is shown: colours of a terminal, ends of lines, tags."""
_TOLD_IN_SVG = re.compile(r"(<!--(?:(?!-->).)*?\[secret (?:(?!-->).)*-->)(.*?</g>)", re.DOTALL)
_GLYPH = re.compile(r"<use\b[^>]*>")
_NOT_JSON = object()
Span = tuple[int, int, str]
"""From, to, and the name of what stands there."""


@dataclass(frozen=True, repr=False, eq=False)
class Scrubber:
    """Knows secret values and takes them out of texts: `[secret NAME]` stands in their place.

    Made by `of` and `of_environment`. It has no representation, so that it cannot show what it knows.
    """

    not_taken: tuple[str, ...] = ()
    """Sentences about secrets that are not looked for, and why."""
    _secrets: tuple[tuple[str, str], ...] = ()
    _values: Mapping[str, str] = field(default_factory=dict)
    """Names by value."""
    _groups: Mapping[str, Sequence[tuple[str, int, str]]] = field(default_factory=dict)
    """By group of characters: the spellings that hold it, where in them, and the name."""
    _stride: int = 1
    """Every spelling of `_groups` has a whole group at one of so many places that follow each other."""
    _few: Sequence[tuple[str, str]] = ()
    """Short spellings and their names."""

    @classmethod
    def of(cls, secrets: Mapping[str, str]) -> Scrubber:
        """Know these values by name. One that is short or common is not taken: `not_taken` says so."""
        return _built(tuple(sorted(secrets.items())))

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] | None = None) -> Scrubber:
        """Know the secrets of an environment, by default that of this process. Cheap when called again."""
        return cls.of(known_secrets(os.environ if environ is None else environ))

    def knowing(self, name: str, value: str) -> Scrubber:
        """A scrubber that knows one more value, of that name."""
        return _built((*self._secrets, (name, value)))

    def text(self, text: str) -> str:
        """The text without secrets; the same object when there was none. A JSON document stays one."""
        spans = [*self._known(text), *self._known_apart(text), *shaped(text)]
        if not spans:
            return text
        clean = _cut(text, spans)
        if "<svg" in clean:
            clean = _TOLD_IN_SVG.sub(lambda found: found[1] + _GLYPH.sub("", found[2]), clean)
        return self._still_json(text, clean)

    def bytes(self, content: bytes) -> bytes:
        """The same for bytes, as UTF-8; what is no UTF-8 stays as it is."""
        text = content.decode("utf-8", errors="surrogateescape")
        clean = self.text(text)
        return content if clean is text else clean.encode("utf-8", errors="surrogateescape")

    def json(self, value: Any) -> Any:
        """A value for JSON without secrets in texts and keys; what JSON does not know becomes text.

        A number is replaced when it is a known value as a whole: digits within another number are none.
        """
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            name = self._values.get(str(value))
            return value if name is None else _marker(name)
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.json(one) for one in value]
        return self.text(str(value))

    def _object(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for key, one in value.items():
            name = only = self.text(key if isinstance(key, str) else _key(key))
            number = 1
            while name in clean:  # two keys that held a secret
                number += 1
                name = f"{only} {number}"
            clean[name] = self.json(one)
        return clean

    def _known(self, text: str) -> list[Span]:
        groups, found = self._groups, list[Span]()
        for spelling, name in self._few:
            start = text.find(spelling)
            while start >= 0:
                found.append((start, start + len(spelling), name))
                start = text.find(spelling, start + len(spelling))
        if not groups:
            return found
        for at in range(0, len(text) - _GROUP + 1, self._stride):
            group = text[at : at + _GROUP]
            if group in groups:
                for spelling, offset, name in groups[group]:
                    start = at - offset
                    if start >= 0 and text.startswith(spelling, start):
                        found.append((start, start + len(spelling), name))
        return found

    def _known_apart(self, text: str) -> list[Span]:
        """Values that are parted: wrapped into lines (as base64 is), or by the colours of a code listing."""
        bare = _DECORATION.sub("", text) if self._values else text
        found = self._known(bare) if len(bare) < len(text) else []
        if not found:
            return []
        places, shifts = [0], [0]
        for piece in _DECORATION.finditer(text):
            places.append(piece.start() - shifts[-1])
            shifts.append(shifts[-1] + len(piece[0]))

        def there(place: int) -> int:
            return place + shifts[bisect_right(places, place) - 1]

        return [(there(start), there(end - 1) + 1, name) for start, end, name in found]

    def _still_json(self, text: str, clean: str) -> str:
        """`clean`; value by value when that broke JSON: a secret was a number, or began within an escape."""
        if text.lstrip()[:1] not in {"{", "[", '"'} or _parsed(clean) is not _NOT_JSON:
            return clean
        parsed = _parsed(text)
        return clean if parsed is _NOT_JSON else json.dumps(self.json(parsed), ensure_ascii=False)


@lru_cache(maxsize=16)
def _built(secrets: tuple[tuple[str, str], ...]) -> Scrubber:
    """A scrubber of these names and values. Kept: a process asks for that of its environment many times."""
    not_taken, values = list[str](), dict[str, str]()
    for name, value in secrets:
        for part in parts(value):
            if why := too_common(part):
                not_taken.append(f"{name} is not looked for in what is written: {why}")
            else:
                values.setdefault(part, name)
    spelled = {spelling: name for value, name in values.items() for spelling in spellings(value)}
    few = tuple((spelling, name) for spelling, name in spelled.items() if len(spelling) < _SHORT)
    if len(few) > _FEW:
        few = ()
    for spelling, _name in few:
        del spelled[spelling]
    shortest = min((len(spelling) for spelling in spelled), default=_GROUP)
    stride = min(shortest - _GROUP + 1, _LONGEST_STRIDE)
    groups: dict[str, list[tuple[str, int, str]]] = {}
    for spelling, name in spelled.items():
        for offset in range(stride):
            groups.setdefault(spelling[offset : offset + _GROUP], []).append((spelling, offset, name))
    return Scrubber(tuple(dict.fromkeys(not_taken)), secrets, values, groups, stride, few)


def _cut(text: str, spans: Sequence[Span]) -> str:
    """`text` with a marker in place of each span; spans that overlap become one, named by the first."""
    pieces, done = list[str](), 0
    end, name = 0, ""
    for start, stop, found in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start < end:
            end = max(end, stop)
            continue
        if name:
            pieces.append(_marker(name))
            done = end
        pieces.append(text[done:start])
        end, name = stop, found
    return "".join((*pieces, _marker(name), text[end:]))


def _marker(name: str) -> str:
    """What stands in place of a secret: nothing in it means anything to JSON, CSV, HTML or a comment."""
    plain = re.sub(r"[^A-Za-z0-9_. ]+", "_", name)
    return f"[secret {plain}]"


def _key(key: object) -> str:
    """A key as JSON writes it."""
    return json.dumps(key) if key is None or isinstance(key, bool | int | float) else str(key)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOT_JSON
