"""What a cell shows. Printed text is capped: head and tail in the notebook, all of it in a file beside it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rollbook.launch.notebook_json import new_output
from rollbook.launch.scrubbing import REACH, Scrub, cut_after, cut_before

NODE = 80
"""Characters that another output needs in a notebook: a cell that changes streams with each line pays."""
HAS_ALL = "has all of it"
HAS_PART = "has the rest only in part"
BLOCK = 4 * REACH
"""Characters after which a log is written on."""


class Log:
    """All that a cell printed, written to a file in blocks.

    A block ends where nothing that `scrub` removes is cut in two, so the end of the text is held back until
    more has come or the log is closed. A disk that refuses is remembered in `problem`; the cell goes on.
    """

    def __init__(self, path: Path, scrub: Scrub | None) -> None:
        self.path = path
        self.problem = ""
        self._scrub = scrub
        self._held: list[str] = []
        self._size = 0
        self._write_at = BLOCK
        self._mode = "w"

    def add(self, text: str) -> None:
        """Take more text."""
        self._held.append(text)
        self._size += len(text)
        if self._size >= self._write_at:
            whole = "".join(self._held)
            self._write(whole, cut_before(whole, len(whole) - REACH, self._scrub))
            # Where no cut was safe, look again only when there is twice as much: the cost stays linear.
            self._write_at = max(BLOCK, 2 * self._size)

    def close(self) -> None:
        """Write the rest."""
        whole = "".join(self._held)
        self._write(whole, len(whole))

    def _write(self, text: str, end: int) -> None:
        self._held = [text[end:]]
        self._size = len(text) - end
        if end == 0 or self.problem:
            return
        clean = self._scrub(text[:end]) if self._scrub else text[:end]
        try:
            with self.path.open(self._mode, encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.write(clean)
        except OSError as error:
            self.problem = error.strerror or str(error)
        self._mode = "a"


class _Stream:
    """Text that was printed to one stream without anything else in between."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pieces: deque[str] = deque()
        self.size = NODE

    def append(self, text: str) -> None:
        self.pieces.append(text)
        self.size += len(text)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Outputs:
    """The outputs of one cell, in order.

    Text up to half of `cap` characters from the start and as much from the end is kept in memory, and REACH
    more of each, so that the cut can be made where it splits nothing that must be scrubbed.
    """

    def __init__(self, cap: int, log: Log | None, scrub: Scrub | None) -> None:
        self._cap = cap
        self._half = max(1, cap // 2)
        self._log = log
        self._logging = False
        self._scrub = scrub
        self._clear_before_next = False
        self._reset()

    def _reset(self) -> None:
        self._head: list[Any] = []
        self._head_room = self._half + REACH
        self._between: list[Any] = []
        self._tail: deque[Any] = deque()
        self._tail_size = 0
        self._size = 0
        self._total = 0
        self._lines = 0
        self._dropped = False

    @property
    def problem(self) -> str:
        """Why the file with all of the text is not whole; empty when it is, or when there is none."""
        return self._log.problem if self._log else ""

    def clear(self, *, wait: bool) -> None:
        """Forget what was shown, now or when the next output comes. What the log has stays there."""
        if wait:
            self._clear_before_next = True
        else:
            self._reset()

    @property
    def has_error(self) -> bool:
        """Whether an error is among them."""
        held = (*self._head, *self._tail)
        return any(not isinstance(one, _Stream) and one["output_type"] == "error" for one in held)

    def add(self, output: Any) -> None:
        """Add an output that is not a stream."""
        self._clear_if_due()
        (self._tail if self._tail else self._head).append(output)

    def stream(self, name: str, text: str) -> None:
        """Add printed text."""
        self._clear_if_due()
        self._total += len(text)
        self._lines += text.count("\n")
        if self._logging and self._log:
            self._log.add(text)
        room = self._head_room - _cost(self._head, name)
        first, rest = text[: max(room, 0)], text[max(room, 0) :]
        if first:
            self._size += (cost := _append(self._head, name, first))
            self._head_room -= cost
        if rest:
            # Once text is in the tail, all that follows goes there: the order must stay.
            self._head_room = 0
            self._size += (cost := _append(self._tail, name, rest))
            self._tail_size += cost
        if self._size > self._cap and self._log and not self._logging:
            self._logging = True
            for item in (*self._head, *self._tail):
                if isinstance(item, _Stream):
                    self._log.add(item.text)
        self._drop()

    def close(self) -> None:
        """Write the end of the log."""
        if self._logging and self._log:
            self._log.close()

    def rendered(self) -> list[Any]:
        """The outputs as a notebook has them, text capped."""
        items = self._items()
        if self._size <= self._cap:
            return [_node(item.name, item.text) if isinstance(item, _Stream) else item for item in items]
        # From where to where text is left out, in what is in memory.
        cut_from = self._half
        cut_to = sum(item.size for item in items if isinstance(item, _Stream)) - self._half
        before: list[Any] = []
        after: list[Any] = []
        at = 0
        for item in items:
            if not isinstance(item, _Stream):
                (after if at > cut_from else before).append(item)
                continue
            text, at = item.text, at + NODE
            if at < cut_from:
                end = len(text)
                if at + end > cut_from:
                    end = cut_before(text, cut_from - at, self._scrub)
                before.append(_node(item.name, text[:end]))
            if at + len(text) > cut_to:
                start = cut_after(text, cut_to - at, self._scrub) if at < cut_to else 0
                after.append(_node(item.name, text[start:]))
            at += len(text)
        shown = [node for node in (*before, *after) if node["output_type"] == "stream"]
        marker = self._marker(
            self._total - sum(len(node["text"]) for node in shown),
            self._lines - sum(node["text"].count("\n") for node in shown),
        )
        return [node for node in (*before, marker, *after) if node.get("text") != ""]

    def _marker(self, characters: int, lines: int) -> Any:
        where = "the rest was not kept"
        if self._log and self._log.problem:
            where = f"{self._log.path.name} {HAS_PART}: {self._log.problem}"
        elif self._log:
            where = f"{self._log.path.name} {HAS_ALL}"
        what = f"{characters:,} characters, {lines:,} lines are cut here"
        return _node("stderr", f"\n[... {what}: {where} ...]\n")

    def _items(self) -> Sequence[Any]:
        """Everything in order; text that was parted only to keep it is one again, and so scrubbed as one."""
        if self._dropped or not self._tail:
            return [*self._head, *self._between, *self._tail]
        first, *others = self._tail
        last = self._head[-1] if self._head else None
        if isinstance(first, _Stream) and isinstance(last, _Stream) and first.name == last.name:
            whole = _Stream(first.name)
            for piece in (*last.pieces, *first.pieces):
                whole.append(piece)
            return [*self._head[:-1], whole, *others]
        return [*self._head, *self._tail]

    def _drop(self) -> None:
        """Forget text between head and tail that is not needed any more; what is not text is kept."""
        excess = self._tail_size - self._half - REACH
        while excess > 0:
            first = self._tail[0]
            if not isinstance(first, _Stream):
                self._between.append(self._tail.popleft())
                continue
            self._dropped = True
            piece = first.pieces.popleft()
            gone = min(len(piece), excess)
            if gone < len(piece):
                first.pieces.appendleft(piece[gone:])
            elif not first.pieces:
                self._tail.popleft()
                gone += NODE
            first.size -= gone
            excess -= gone
            self._tail_size -= gone

    def _clear_if_due(self) -> None:
        if self._clear_before_next:
            self._clear_before_next = False
            self._reset()


def _cost(items: Sequence[Any], name: str) -> int:
    """What it costs to begin with text of this stream."""
    return 0 if items and isinstance(items[-1], _Stream) and items[-1].name == name else NODE


def _append(items: list[Any] | deque[Any], name: str, text: str) -> int:
    """Put text at the end; what it costs."""
    cost = _cost(items, name) + len(text)
    if cost > len(text):
        items.append(_Stream(name))
    items[-1].append(text)
    return cost


def _node(name: str, text: str) -> Any:
    return new_output("stream", name=name, text=text)
