"""What is followed from run to run: one group of trends for each service on each target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rollbook.history.look import formats, short
from rollbook.history.rows import Ending, RunRow

GROUPS = 4
"""Groups that are drawn; of more services, the page has the rows only."""


@dataclass(frozen=True)
class Trend:
    """One figure over the runs of a group, oldest first; None where a run does not have it.

    `ceiling` is the top of the scale, None when the largest value is.
    """

    title: str
    values: tuple[float | None, ...]
    latest: str
    """The newest value, in words."""
    remark: str
    ceiling: float | None = None


@dataclass(frozen=True)
class Group:
    """The trends of one service on one target. `endings` are those of all its runs, oldest first."""

    name: str
    endings: tuple[Ending, ...]
    endings_remark: str
    trends: tuple[Trend, ...]


def groups(runs: Sequence[RunRow]) -> tuple[Group, ...]:
    """Groups by their newest run; `runs` come newest first. Runs without a service or a time have none."""
    by_name: dict[tuple[str, str], list[RunRow]] = {}
    for row in runs:
        if row.service and row.started is not None:
            by_name.setdefault((row.service, row.target), []).append(row)
    return tuple(
        _group(f"{service} on {target or 'an unnamed target'}", rows[::-1])
        for (service, target), rows in list(by_name.items())[:GROUPS]
    )


def _group(name: str, rows: Sequence[RunRow]) -> Group:
    passed = sum(row.ending is Ending.PASSED for row in rows)
    usual = _usual_phases(rows)
    alike = [row if _phases(row) == usual and row.ending is not Ending.UNFINISHED else None for row in rows]
    whole = f"of {short(', '.join(usual))}" if usual else "that finished"
    return Group(
        name=name,
        endings=tuple(row.ending for row in rows),
        endings_remark=f"{formats.count(passed)} of {formats.counted(len(rows), 'run')} passed",
        trends=(
            _trend(
                "Time to roll back",
                [row.roll_back_s for row in rows],
                formats.seconds,
                "with a canary that was rolled back",
            ),
            _trend(
                "Requirements proved",
                [row.coverage if row else None for row in alike],
                formats.share,
                whole,
                ceiling=1.0,
            ),
            _trend("Duration", [row.duration_s if row else None for row in alike], formats.seconds, whole),
        ),
    )


def _usual_phases(rows: Sequence[RunRow]) -> tuple[str, ...]:
    """The phases of the runs that are worth comparing: a run of one phase is short, and proves less.

    They are those that did most in all: runs times phases; of equals, the newest.
    """
    done: Counter[tuple[str, ...]] = Counter()
    for row in reversed(rows):
        if row.ending is not Ending.UNFINISHED:
            done[_phases(row)] += len(_phases(row))
    return done.most_common(1)[0][0] if done else ()


def _phases(row: RunRow) -> tuple[str, ...]:
    return tuple(phase.name for phase in row.phases if phase.passed is not None)


def _trend(
    title: str,
    values: Sequence[float | None],
    text: Callable[[float | None], str],
    which: str,
    ceiling: float | None = None,
) -> Trend:
    known = [value for value in values if value is not None]
    if not known:
        return Trend(title, tuple(values), formats.NONE, f"no run {which}", ceiling)
    least, most = text(min(known)), text(max(known))
    spread = f"always {least}" if least == most else f"from {least} to {most}"
    remark = f"{spread} in {formats.counted(len(known), 'run')} {which}"
    return Trend(title, tuple(values), text(known[-1]), remark, ceiling)
