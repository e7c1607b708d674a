"""YAML as the settings files use it: the core schema of YAML 1.2, and each value with its line.

The values are built from the parser's events and not by a loader, for three reasons: a number that was
written as `1.10` is lost once it is a float, so the text of every scalar is kept; a file of a few lines can
unfold to gigabytes through its aliases, so what they unfold to is counted; and a duplicate key must not win
silently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

MOST_NODES = 10_000
"""Values in a file, each alias counted with all that it stands for."""
MOST_LEVELS = 30

Location = tuple[int | str, ...]

NULL = re.compile(r"|~|null|Null|NULL")
TRUE = re.compile(r"true|True|TRUE")
FALSE = re.compile(r"false|False|FALSE")
INTEGER = re.compile(r"[-+]?[0-9]+")
OTHER_BASE = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
NOT_A_NUMBER = re.compile(r"\.(?:nan|NaN|NAN)")
LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
LONGEST_NUMBER = 40


class TreeError(Exception):
    """What is wrong with a file: the problem, and the line where it is, counted from 1."""

    def __init__(self, line: int, problem: str, fix: str = "") -> None:
        self.line = line
        self.problem = problem
        self.fix = fix
        super().__init__(problem)


@dataclass(frozen=True)
class Place:
    """Where a value stands: its line, counted from 1, and how it is written; empty for a list or mapping."""

    line: int
    written: str = ""
    quoted: bool = False


@dataclass(frozen=True)
class Tree:
    """The values of a file, and the place of each by its path, such as `("phases", 0, "name")`."""

    value: Any
    places: dict[Location, Place]

    def place(self, path: Location) -> Place:
        """Place of the deepest part of `path` that the file has."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(1)


@dataclass
class _Open:
    """A list or a mapping that is being read."""

    value: list[Any] | dict[str, Any]
    path: Location
    anchor: str | None
    size: int = 1
    key: str | None = None


@dataclass
class _Builder:
    """Turns events into a tree; keeps its own stack, so that no depth of nesting can exhaust Python's."""

    places: dict[Location, Place] = field(default_factory=dict)
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    root: Any = None
    nodes: int = 0

    def take(self, event: Event) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent) and event.version not in {None, (1, 2)}:
            raise TreeError(line, "it declares an older version of YAML", "Leave the %YAML line out.")
        if isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                raise TreeError(
                    line, f"the alias *{event.anchor} stands for nothing that is complete before it"
                )
            value, size = self.anchors[event.anchor]
            self._count(line, size)
            self._add(value, size, Place(line), None, is_key_text=isinstance(value, str))
        elif isinstance(event, ScalarEvent):
            self._count(line, 1)
            _no_tag(event, line)
            quoted = event.style is not None
            is_key = self._awaits_key()
            value = event.value if quoted or is_key else resolved(event.value, line)
            self._add(value, 1, Place(line, event.value, quoted), event.anchor, is_key_text=True)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._count(line, 1)
            _no_tag(event, line)
            self._open(event, line)
        elif isinstance(event, CollectionEndEvent):
            done = self.stack.pop()
            if done.anchor:
                self.anchors[done.anchor] = (done.value, done.size)
            if self.stack:
                self.stack[-1].size += done.size

    def _open(self, event: MappingStartEvent | SequenceStartEvent, line: int) -> None:
        if self._awaits_key():
            raise TreeError(line, "a name must be a text, not a list or a mapping")
        if len(self.stack) >= MOST_LEVELS:
            raise TreeError(line, f"it is nested more than {MOST_LEVELS} levels deep")
        value: list[Any] | dict[str, Any] = {} if isinstance(event, MappingStartEvent) else []
        path = self._path()
        self._put(value, path, Place(line))
        self.stack.append(_Open(value, path, event.anchor))

    def _add(self, value: Any, size: int, place: Place, anchor: str | None, *, is_key_text: bool) -> None:
        if anchor:
            self.anchors[anchor] = (value, size)
        if self._awaits_key():
            if not is_key_text:
                raise TreeError(place.line, "a name must be a text, not a list or a mapping")
            self._key(value, place)
            return
        self._put(value, self._path(), place)
        if self.stack:
            self.stack[-1].size += size

    def _key(self, name: str, place: Place) -> None:
        top = self.stack[-1]
        if name == "<<" and not place.quoted:
            raise TreeError(place.line, "merge keys (<<) are not YAML 1.2", "Write the fields out.")
        if name in top.value:
            first = self.places[(*top.path, name)].line
            raise TreeError(
                place.line, f"{name!r} stands here twice, first in line {first}", "Take one of them out."
            )
        top.key = name
        # Until its value is read, the place of a name is its own; what complains of it then has a line.
        self.places[(*top.path, name)] = place

    def _path(self) -> Location:
        if not self.stack:
            return ()
        top = self.stack[-1]
        return (*top.path, len(top.value) if isinstance(top.value, list) else str(top.key))

    def _put(self, value: Any, path: Location, place: Place) -> None:
        line = place.line
        if not self.stack:
            self.root = value
        elif isinstance(self.stack[-1].value, list):
            self.stack[-1].value.append(value)
        else:
            line = self.places[path].line
            self.stack[-1].value[str(path[-1])] = value
            self.stack[-1].key = None
        self.places[path] = Place(line, place.written, place.quoted)

    def _awaits_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def _count(self, line: int, size: int) -> None:
        self.nodes += size
        if self.nodes > MOST_NODES:
            raise TreeError(
                line, f"it holds more than {MOST_NODES:,} values, aliases counted with what they stand for"
            )


def parse(text: str) -> Tree:
    """Read one YAML document. TreeError names the line of the first thing that is wrong."""
    builder = _Builder()
    documents = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            documents += isinstance(event, DocumentStartEvent)
            if documents > 1:
                raise TreeError(
                    event.start_mark.line + 1, "a second document begins here", "Keep one in a file."
                )
            builder.take(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or str(error)).split("\n")[0]
        fix = "Indent with spaces, not with tabs." if "'\\t'" in problem else ""
        raise TreeError(mark.line + 1 if mark else 1, f"it is not valid YAML: {problem}", fix) from error
    except YAMLError as error:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position if isinstance(position, int) else 0) + 1
        raise TreeError(line, f"it is not valid YAML: {str(error).splitlines()[0]}") from error
    return Tree(builder.root, builder.places)


def resolved(text: str, line: int = 1) -> Any:
    """The value of an unquoted scalar by the core schema of YAML 1.2.

    `no`, `on` and `1_000` are texts there. TreeError for a number that programs disagree about: one with a
    leading zero is eight by one and ten by another.
    """
    if NULL.fullmatch(text):
        return None
    if TRUE.fullmatch(text) or FALSE.fullmatch(text):
        return text[0] in "tT"
    if LEADING_ZERO.match(text) and FLOAT.fullmatch(text):
        raise TreeError(
            line,
            f"{text} is a number with a leading zero",
            f'As a text, write it in quotes: "{text}"; as a number, without the zero.',
        )
    if len(text) > LONGEST_NUMBER:
        return text
    if INTEGER.fullmatch(text):
        return int(text)
    if OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if FLOAT.fullmatch(text):
        return float(text)
    if INFINITE.fullmatch(text):
        return float("-inf") if text[0] == "-" else float("inf")
    return float("nan") if NOT_A_NUMBER.fullmatch(text) else text


def _no_tag(event: NodeEvent, line: int) -> None:
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise TreeError(
            line, f"tags such as {str(tag)[:40]} are not taken here", "A text in quotes stays a text."
        )
