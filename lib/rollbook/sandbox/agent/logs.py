"""Logs of containers, written by the containers themselves: they flow whether or not the agent is there.

Beside a log lies an index of when its bytes were seen, in entries of 16 bytes: end offset, seconds since
the epoch. A line's time is that of the first entry that covers it; for what was written while no agent ran,
that is the last write before the agent came back.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import struct
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rollbook.sandbox.agent.clock import rfc3339_micro
from rollbook.sandbox.agent.inotify import FileWatcher
from rollbook.sandbox.agent.processes import log_file

log = logging.getLogger(__name__)

MAX_BYTES = 10 * 1024 * 1024
"""A log is cut at this size; one older part is kept."""

_ENTRY = struct.Struct("<qd")
_GRAIN_S = 0.01


@dataclass(frozen=True)
class LogOptions:
    """What of a log is wanted; None is no limit."""

    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: float | None = None
    """Only lines seen at or after this time, seconds since the epoch."""
    timestamps: bool = False


class LogKeeper:
    """Looks after one run's log while the agent is there: notes when bytes came, and cuts it to size."""

    def __init__(self, folder: Path, watcher: FileWatcher, max_bytes: int = MAX_BYTES) -> None:
        self._log = log_file(folder)
        self._index = _index_of(self._log)
        self._max = max_bytes
        self._watcher = watcher
        self._end = 0
        self._noted_at = 0.0
        self._waiters: set[asyncio.Event] = set()
        self.closed = False
        if not self._log.exists():
            self._log.touch(mode=0o600)
        entries = _entries(self._index)
        self._end = entries[-1][0] if entries else 0
        if self._log.stat().st_size > self._end:
            self._note(self._log.stat().st_mtime)
        self._handle: int | None = None
        try:
            self._handle = watcher.watch(self._log, self.written)
        except OSError as error:  # the machine's limit of watches: the log is kept all the same
            log.warning("%s is not watched, its lines have the time of the run's end: %s", self._log, error)

    def written(self) -> None:
        """Bytes have come."""
        with suppress(OSError):
            self._note(time.time())
        for waiter in self._waiters:
            waiter.set()

    def close(self) -> None:
        """The run is over: no more bytes will come."""
        if self._handle is not None:
            self._watcher.unwatch(self._handle)
        self.closed = True
        self.written()

    def subscribe(self) -> tuple[asyncio.Event, Callable[[], None]]:
        """An event set at each write, and what ends the subscription."""
        event = asyncio.Event()
        self._waiters.add(event)
        return event, lambda: self._waiters.discard(event)

    def _note(self, now: float) -> None:
        size = self._log.stat().st_size
        if size == self._end:
            return
        # Entries closer than the grain are merged, or a chatty container's index would outgrow its log.
        merge = now - self._noted_at < _GRAIN_S and self._index.exists()
        with self._index.open("r+b" if merge else "ab") as index:
            if merge:
                index.seek(-_ENTRY.size, 2)
            index.write(_ENTRY.pack(size, now))
        if not merge:
            self._noted_at = now
        self._end = size
        if size > self._max:
            self._rotate()

    def _rotate(self) -> None:
        """Copy and truncate, for the container goes on writing to the same file (it appends)."""
        older = self._log.with_suffix(".1")
        shutil.copyfile(self._log, older)
        with self._log.open("r+b") as current:
            current.truncate(0)
        self._index.replace(_index_of(older))
        self._end = 0
        self._noted_at = 0.0


def read_log(folder: Path, options: LogOptions) -> bytes:
    """The wanted part of a run's log, oldest line first."""
    lines = list(_lines(folder, options.since, timestamps=options.timestamps))
    if options.tail_lines is not None:
        lines = lines[len(lines) - min(options.tail_lines, len(lines)) :]
    content = b"".join(lines)
    return content if options.limit_bytes is None else content[: options.limit_bytes]


async def follow_log(folder: Path, options: LogOptions, keeper: LogKeeper | None) -> AsyncIterator[bytes]:
    """The wanted part, and then what comes, until `keeper` has been closed; whole lines when stamped."""
    file = log_file(folder)
    written, unsubscribe = keeper.subscribe() if keeper is not None else (None, lambda: None)
    left = options.limit_bytes
    try:
        offset = _size(file)
        first = read_log(folder, options)
        yield first
        left = None if left is None else left - len(first)
        while written is not None and keeper is not None and (left is None or left > 0):
            await written.wait()
            written.clear()
            size = _size(file)
            if size < offset:  # it was cut; what stood between is in the older part
                offset = 0
            piece, offset = _piece(file, offset, timestamps=options.timestamps)
            piece = piece if left is None else piece[:left]
            left = None if left is None else left - len(piece)
            if piece:
                yield piece
            if keeper.closed:
                return
    finally:
        unsubscribe()


def last_lines(folder: Path, *, lines: int, limit: int) -> str:
    """The end of a log as text: at most so many lines and bytes."""
    content = read_log(folder, LogOptions(tail_lines=lines))
    return content[-limit:].decode(errors="replace") if content else ""


def _piece(file: Path, offset: int, *, timestamps: bool) -> tuple[bytes, int]:
    with file.open("rb") as stream:
        stream.seek(offset)
        content = stream.read()
    if not timestamps:
        return content, offset + len(content)
    whole = content[: content.rfind(b"\n") + 1]
    stamp = _Stamps(_entries(_index_of(file)))
    stamped = b""
    for line in whole.splitlines(keepends=True):
        offset += len(line)
        stamped += stamp.text(offset) + line
    return stamped, offset


def _lines(folder: Path, since: float | None, *, timestamps: bool) -> Iterator[bytes]:
    current = log_file(folder)
    for file in (current.with_suffix(".1"), current):
        if not file.exists():
            continue
        stamps = _Stamps(_entries(_index_of(file)))
        end = 0
        with file.open("rb") as stream:
            for line in stream:
                end += len(line)
                if since is not None and stamps.seconds(end) < since:
                    continue
                yield stamps.text(end) + line if timestamps else line


class _Stamps:
    """When the byte before an offset was seen."""

    def __init__(self, entries: list[tuple[int, float]]) -> None:
        self._ends = [end for end, _ in entries]
        self._times = [seconds for _, seconds in entries]

    def seconds(self, end: int) -> float:
        if not self._times:
            return time.time()
        return self._times[min(bisect_left(self._ends, end), len(self._times) - 1)]

    def text(self, end: int) -> bytes:
        return rfc3339_micro(self.seconds(end)).encode() + b" "


def _entries(index: Path) -> list[tuple[int, float]]:
    try:
        content = index.read_bytes()
    except OSError:
        return []
    whole = len(content) // _ENTRY.size * _ENTRY.size
    return [(end, seconds) for end, seconds in _ENTRY.iter_unpack(content[:whole])]


def _index_of(file: Path) -> Path:
    return file.with_name(file.name + ".times")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
