"""Reads a table of counts, as any tool can write it: CSV with a header, one look a row."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rollbook.errors import BadInputError

COLUMNS = ("time", "stable_total", "stable_errors", "canary_total", "canary_errors")
LARGEST = 2**53
"""Counts beyond it are not whole numbers any more in the tools that write them."""

_MISSING = {"", "nan", "null", "none", "n/a"}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_SHOWN = 60


@dataclass(frozen=True)
class Row:
    """A row: its line in the file (the header is 1), time in seconds, and counts; None if any of them is
    missing."""

    line: int
    at_s: float
    stable: tuple[int, int]
    canary: tuple[int, int]
    missing: bool


def parse(data: bytes, name: str) -> tuple[Row, ...]:
    """The rows of a file called `name`, in order.

    BadInputError with the line for what is no such table: columns that are missing or twice there, a value
    that is no count, more errors than requests, time that does not go on.
    """
    rows = _fields(data, name)
    try:
        line, header = next(rows)
    except StopIteration:
        raise BadInputError(f"{name} is empty", next_step=f"It needs a header: {','.join(COLUMNS)}") from None
    places = _places([one.strip().lower() for one in header], f"{name} line {line}")
    found: list[Row] = []
    for line, fields in rows:
        where = f"{name} line {line}"
        if len(fields) != len(header):
            raise BadInputError(f"{where} has {len(fields)} values, and the header {len(header)}")
        row = _row(line, where, [fields[place].strip() for place in places])
        if found and row.at_s <= found[-1].at_s:
            raise BadInputError(
                f"{where}: time {row.at_s:g} is not after {found[-1].at_s:g}, that of line {found[-1].line}",
                next_step="Sort the rows by time, and leave one a moment.",
            )
        found.append(row)
    if not found:
        raise BadInputError(f"{name} has a header and no rows")
    return tuple(found)


def _fields(data: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, with their numbers."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInputError(f"{name} line {line}: it is not UTF-8 text") from None
    for line, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip():
            continue
        try:
            [fields] = csv.reader([raw], strict=True)
        except (csv.Error, ValueError) as error:
            raise BadInputError(f"{name} line {line}: it is not CSV: {error}") from None
        yield line, fields


def _places(header: list[str], where: str) -> list[int]:
    missing = [one for one in COLUMNS if header.count(one) != 1]
    if missing:
        word = "twice" if missing[0] in header else "not"
        raise BadInputError(
            f"{where}: the column {missing[0]} is {word} there",
            next_step=f"The first line has to name {', '.join(COLUMNS)}; others are passed over.",
        )
    return [header.index(one) for one in COLUMNS]


def _row(line: int, where: str, values: list[str]) -> Row:
    at_s = float(values[0]) if _NUMBER.fullmatch(values[0]) else math.nan
    if not math.isfinite(at_s):
        raise BadInputError(f"{where}: time is {_shown(values[0])}, which is no number of seconds")
    counts = [_count(where, *one) for one in zip(COLUMNS[1:], values[1:], strict=True)]
    for side, total, errors in (("stable", counts[0], counts[1]), ("canary", counts[2], counts[3])):
        if total is not None and errors is not None and errors > total:
            raise BadInputError(f"{where}: {side} has {errors} errors of {total} requests")
    stable_total, stable_errors, canary_total, canary_errors = (one or 0 for one in counts)
    return Row(
        line,
        at_s,
        (stable_total, stable_errors),
        (canary_total, canary_errors),
        missing=any(one is None for one in counts),
    )


def _count(where: str, column: str, text: str) -> int | None:
    """A count; None if there is none, which is a scrape that is missing."""
    if text.lower() in _MISSING:
        return None
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not 0 <= value <= LARGEST:
        raise BadInputError(f"{where}: {column} is {_shown(text)}, which is no count")
    if not value.is_integer():
        raise BadInputError(
            f"{where}: {column} is {_shown(text)}, which is no whole number",
            why="rates and extrapolated increases are no counts, and how much they are worth cannot be known",
            next_step="Export the counters themselves, or counts of requests with --per-block.",
        )
    return int(value)


def _shown(text: str) -> str:
    return repr(text[:_SHOWN]) if text else "missing"
