"""How numbers and times are written for people. A no-break space stands between a number and its unit."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

NBSP = "\u00a0"
NONE = "–"


def count(number: int) -> str:
    """A count with separators: `12,345`."""
    return f"{number:,}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A count and its noun: `1 request`, `2 requests`."""
    return f"{count(number)}{NBSP}{noun if number == 1 else plural or noun + 's'}"


def share(value: float | None) -> str:
    """A share 0..1 as percent, with as many places as it needs to differ from 0 and 100."""
    if value is None or math.isnan(value):
        return NONE
    percent = value * 100
    if percent in (0, 100):
        return f"{percent:.0f}{NBSP}%"
    for places in (1, 2, 3):
        text = f"{percent:.{places}f}"
        if 0 < float(text) < 100:
            return f"{text}{NBSP}%"
    return f"{'<' if percent < 1 else '>'}{NBSP}{'0.001' if percent < 1 else '99.999'}{NBSP}%"


def bound(value: float) -> str:
    """A share that was chosen, not measured: `1 %`."""
    return f"{round(value * 100, 6):g}{NBSP}%"


def weight(percent: float) -> str:
    """Argo's weight: `20 %`."""
    return f"{percent:g}{NBSP}%"


def seconds(value: float | None) -> str:
    """A duration: `12 ms`, `3.4 s`, `75 s`, `3 min 20 s`."""
    if value is None or math.isnan(value):
        return NONE
    if abs(value) < 0.9995:
        milliseconds = value * 1000
        return (
            f"{milliseconds:.1f}{NBSP}ms" if 0 < abs(milliseconds) < 9.95 else f"{milliseconds:.0f}{NBSP}ms"
        )
    if abs(value) < 99.95:
        return f"{value:.1f}{NBSP}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes}{NBSP}min" + (f"{NBSP}{rest}{NBSP}s" if rest else "")


def at_once(value: float | None) -> str:
    """A duration of which nothing may be left: `at once` instead of `0 ms`."""
    return "at once" if value == 0 else seconds(value)


def offset(value: float) -> str:
    """A time from a start: `+12.3 s`."""
    return f"{value:+.1f}{NBSP}s"


def size(number: int) -> str:
    """A size in bytes: `812 B`, `3.4 KiB`, `1.2 MiB`."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f}{NBSP}{unit}" if unit == "B" else f"{value:.1f}{NBSP}{unit}"
        value /= 1024
    raise AssertionError("unreachable: the loop returns at GiB")


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits, never in exponent form below a million."""
    if value is None or math.isnan(value):
        return NONE
    if value == int(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def in_unit(value: float | None, unit: str) -> str:
    """A value of a signal in its unit: `share`, `s`, `bytes`, `requests/s`, or any other."""
    if value is None or not math.isfinite(value):
        return NONE
    if unit == "share":
        return share(value)
    if unit == "s":
        return seconds(value)
    if unit == "bytes":
        return size(round(value))
    return f"{number(value, 3)}{NBSP}{unit}".strip()


def clock_time(time: datetime | None) -> str:
    """Time of day in UTC with tenths of a second."""
    if time is None:
        return NONE
    utc = time.astimezone(UTC)
    return f"{utc:%H:%M:%S}.{utc.microsecond // 100_000}"


def date_time(time: datetime | None) -> str:
    """Date and time in UTC."""
    return NONE if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plain(value: object) -> str:
    """A value of the record as text: a text as it is, anything else as JSON."""
    if value is None:
        return NONE
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def short_digest(digest: str) -> str:
    """The first 12 hex digits of a digest, with its algorithm: `sha256:1234567890ab`."""
    algorithm, colon, hexadecimal = digest.partition(":")
    return f"{algorithm}:{hexadecimal[:12]}" if colon else digest[:12]
