from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

import pytest

from rollbook.sandbox.agent.inotify import FileWatcher
from rollbook.sandbox.agent.logs import LogKeeper, LogOptions, follow_log, last_lines, read_log
from rollbook.sandbox.agent.processes import log_file


def append(folder: Path, text: str) -> None:
    """Write as a container does."""
    with log_file(folder).open("a") as log:
        log.write(text)


async def settle() -> None:
    """Let the kernel's notices come in."""
    await asyncio.sleep(0.03)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (LogOptions(), b"one\ntwo\nthree"),
        (LogOptions(tail_lines=2), b"two\nthree"),
        (LogOptions(tail_lines=0), b""),
        (LogOptions(tail_lines=9), b"one\ntwo\nthree"),
        (LogOptions(limit_bytes=5), b"one\nt"),
    ],
)
def test_parts(tmp_path: Path, options: LogOptions, expected: bytes) -> None:
    """The wanted part of a log is read."""
    append(tmp_path, "one\ntwo\nthree")
    assert expected == read_log(tmp_path, options)


def test_timestamps(tmp_path: Path) -> None:
    """Every line carries the time it was seen, and `since` goes by it."""
    marks: list[float] = []

    async def go() -> None:
        watcher = FileWatcher()
        keeper = LogKeeper(tmp_path, watcher)
        append(tmp_path, "one\n")
        await settle()
        marks.append(time.time())
        append(tmp_path, "two\n")
        await settle()
        keeper.close()
        watcher.close()

    asyncio.run(go())
    stamped = read_log(tmp_path, LogOptions(timestamps=True)).decode().splitlines()
    assert [line.split(" ")[1] for line in stamped] == ["one", "two"]
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.split(" ")[0]) for line in stamped
    )
    assert read_log(tmp_path, LogOptions(since=marks[0])) == b"two\n"


def test_written_without_agent(tmp_path: Path) -> None:
    """Lines written while no agent was there have the time of the last write."""
    append(tmp_path, "one\n")
    os.utime(log_file(tmp_path), (1000.0, 1000.0))

    async def go() -> None:
        watcher = FileWatcher()
        LogKeeper(tmp_path, watcher).close()
        watcher.close()

    asyncio.run(go())
    assert read_log(tmp_path, LogOptions(timestamps=True)) == b"1970-01-01T00:16:40.000000Z one\n"


def test_rotation(tmp_path: Path) -> None:
    """A log is cut at its size, one older part is kept, and the container goes on writing."""

    async def go() -> None:
        watcher = FileWatcher()
        keeper = LogKeeper(tmp_path, watcher, max_bytes=1000)
        for number in range(100):
            append(tmp_path, f"line {number:04}{'x' * 40}\n")
            keeper.written()
        keeper.close()
        watcher.close()

    asyncio.run(go())
    assert log_file(tmp_path).stat().st_size <= 1000
    lines = read_log(tmp_path, LogOptions(timestamps=True)).decode().splitlines()
    numbers = [int(line.split(" ")[2][:4]) for line in lines]
    assert numbers == list(range(numbers[0], 100))
    assert len(numbers) >= 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.1.times", "log.times"]


def test_follow(tmp_path: Path) -> None:
    """Following gives what is there, what comes, and ends with the run."""
    append(tmp_path, "one\n")
    pieces: list[bytes] = []

    async def go() -> None:
        watcher = FileWatcher()
        keeper = LogKeeper(tmp_path, watcher)

        async def read() -> None:
            pieces.extend([piece async for piece in follow_log(tmp_path, LogOptions(), keeper)])

        reader = asyncio.create_task(read())
        await settle()
        append(tmp_path, "two\n")
        await settle()
        append(tmp_path, "three\n")
        keeper.close()
        await asyncio.wait_for(reader, 60)
        watcher.close()

    asyncio.run(go())
    assert b"".join(pieces) == b"one\ntwo\nthree\n"


def test_last_lines(tmp_path: Path) -> None:
    """The end of a log is cut by lines and by bytes."""
    append(tmp_path, "one\ntwo\nthree\n")
    assert last_lines(tmp_path, lines=2, limit=100) == "two\nthree\n"
    assert last_lines(tmp_path, lines=2, limit=6) == "three\n"
