"""Asks a team's own Prometheus for the counters of a canary that is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

from rollbook.errors import BadInputError
from rollbook.ports import Series
from rollbook.replay.from_counters import SideCounters

MOST_READINGS = 100_000


class Ranges(Protocol):
    """What is needed of `rollbook.ports.Metrics`."""

    def range(self, query: str, *, start: datetime, end: datetime, step_s: float) -> tuple[Series, ...]:
        """A range query, both ends included."""


@dataclass(frozen=True)
class Asked:
    """PromQL of running totals, and the time between which they are read, each `step_s` seconds."""

    stable: str
    canary: str
    stable_errors: str
    canary_errors: str
    begins: datetime
    ends: datetime
    step_s: float

    def __post_init__(self) -> None:
        readings = (self.ends - self.begins).total_seconds() / self.step_s if self.step_s > 0 else 0.0
        if readings < 1:
            raise BadInputError(
                "there is no time to replay",
                why="--to has to be later than --from, by a step at least, and --step above 0",
            )
        if readings > MOST_READINGS:
            raise BadInputError(
                f"{readings:,.0f} readings are too many",
                why=f"at most {MOST_READINGS:,} are replayed",
                next_step="Give a larger --step, or less time.",
            )


def read(metrics: Ranges, asked: Asked) -> tuple[SideCounters, SideCounters]:
    """Counters of stable and of the canary. Errors as those of `metrics`."""

    def ask(query: str) -> tuple[Series, ...]:
        return metrics.range(query, start=asked.begins, end=asked.ends, step_s=asked.step_s)

    return (
        SideCounters(ask(asked.stable), ask(asked.stable_errors)),
        SideCounters(ask(asked.canary), ask(asked.canary_errors)),
    )


def asked(given: Mapping[str, str], *, step_s: float) -> Asked:
    """What is asked for, from the options of the command line by their names.

    BadInputError when one is missing, is no moment, or leaves no time to replay.
    """
    names = ("--stable", "--canary", "--stable-errors", "--canary-errors", "--from", "--to")
    missing = [name for name in names if not given.get(name)]
    if missing:
        raise BadInputError(
            f"--prometheus needs {', '.join(missing)}",
            next_step="Queries give running totals; failed requests have queries of their own.",
        )
    begins, ends = (moment(given[name], name) for name in ("--from", "--to"))
    stable, canary, stable_errors, canary_errors = (given[name] for name in names[:4])
    return Asked(stable, canary, stable_errors, canary_errors, begins, ends, step_s)


def address(url: str) -> str:
    """The URL of a Prometheus itself; BadInputError for what is none."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and not any(map(str.isspace, url))
    except ValueError:
        good = False
    if not good:
        raise BadInputError(
            f"--prometheus is no URL: {url[:60]!r}", next_step="Give one such as http://127.0.0.1:9090."
        )
    return url


def moment(text: str, option: str) -> datetime:
    """A moment: ISO 8601 (UTC where it names no zone), or seconds since the epoch.

    BadInputError for anything else, with the name of the `option` that it was given to.
    """
    try:
        try:
            found = datetime.fromtimestamp(float(text), UTC)
        except ValueError:
            found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise BadInputError(
            f"{option} is no moment: {text[:60]!r}",
            next_step="Give one such as 2026-11-23T10:15:00Z, or seconds since the epoch.",
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
