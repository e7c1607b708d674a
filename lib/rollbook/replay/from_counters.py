"""Counters of a team's own history, as Prometheus answers them, as a course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rollbook.errors import BadInputError
from rollbook.judge.counters import LIKELY, SPARE
from rollbook.ports import Series
from rollbook.replay.course import Answers, Course, Floats, Happened

LARGEST = 2**53
"""Counts beyond it are not whole numbers any more in the tools that write them."""


@dataclass(frozen=True)
class SideCounters:
    """Counters of one side: all requests, and the failed ones; a series each, such as one a pod."""

    requests: tuple[Series, ...]
    errors: tuple[Series, ...]


def course(stable: SideCounters, canary: SideCounters, *, step_s: float) -> tuple[Course, tuple[str, ...]]:
    """The canary that the counters show, readings `step_s` apart, and sentences about what was odd.

    Users first met it between two readings: second 0 is the earlier of them, so that no time is too short.

    Series are added up by what they rose by, so that a process that begins or restarts spoils nothing:

    - A counter that falls began again from zero (as Prometheus' `increase` takes it), if the value that it
      fell to can have been reached since; if not, the reading is left out and that is said.
    - A series of requests that is there from a side's first reading on is counted from there. One that comes
      later is a new process, and counted from zero if its value can have been reached in a step.
    - Errors of which there is no series yet are 0: most libraries make a series at the first error.
    - Where one side has no reading and the other has one, both are counted at the next one that both have.

    BadInputError when either side has no requests, or values are no running totals of whole requests.
    """
    notes: list[str] = []
    grid = _grid((stable, canary))
    if not len(grid):
        raise _nothing("stable")
    sides = {
        name: _side(name, one, grid, step_s, notes) for name, one in (("stable", stable), ("canary", canary))
    }
    _together(sides["stable"], sides["canary"])
    met = np.flatnonzero(sides["canary"].requests > 0)
    for name, one in sides.items():
        if not (one.requests > 0).any():
            raise _nothing(name)
    began = float(grid[max(int(met[0]) - 1, 0)])
    at_s = grid - began
    answers = {name: _answers(at_s, one) for name, one in sides.items()}
    found = Course(
        run="prometheus",
        phase="history",
        stable_version="stable",
        canary_version="canary",
        fault="",
        faulty=None,
        began_s=began,
        starts_s=float(at_s[0]),
        ends_s=float(at_s[met[-1]]),
        stable=answers["stable"],
        canary=answers["canary"],
        happened=Happened(),
        step_s=step_s,
    )
    return found, tuple(notes)


@dataclass
class _Rises:
    """What one side rose by at each moment, (T,); `read` where it has a reading, `began` its first."""

    requests: Floats
    errors: Floats
    read: NDArray[np.bool_]
    began: int


def _grid(sides: Sequence[SideCounters]) -> Floats:
    every = {at for side in sides for one in side.requests for at, _ in one.points}
    return np.array(sorted(every), dtype=np.float64)


def _nothing(side: str) -> BadInputError:
    return BadInputError(
        f"the counters of {side} show no request",
        why="the query has no series in that time, or they never rise",
        next_step=f"Look at the query of --{side} in Prometheus, and at --from and --to.",
    )


def _side(name: str, side: SideCounters, grid: Floats, step_s: float, notes: list[str]) -> _Rises:
    read = np.zeros(len(grid), dtype=bool)
    for one in side.requests:
        read[_places(one, grid)[0]] = True
    if not read.any():
        raise _nothing(name)
    began = int(np.flatnonzero(read)[0])
    fastest = _fastest(side.requests)
    oddities = _Oddities()
    requests = sum(
        (_rise(one, grid, began, fastest, step_s, name, oddities) for one in side.requests),
        np.zeros(len(grid)),
    )
    errors = sum(
        (_rise(one, grid, began, fastest, step_s, name, oddities, is_errors=True) for one in side.errors),
        np.zeros(len(grid)),
    )
    clipped = int((errors > requests).sum())
    for count, what in (
        (oddities.restarts, "time(s) a counter fell: taken as a process that began again from zero."),
        (oddities.left_out, "value(s) after a fall, or of a new series, are too large for it: left out."),
        (clipped, "time(s) more errors than requests were added: errors were cut to the requests."),
    ):
        if count:
            notes.append(f"{name}: {count} {what}")
    return _Rises(np.asarray(requests), np.minimum(errors, requests), read, began)


@dataclass
class _Oddities:
    restarts: int = 0
    left_out: int = 0


def _fastest(series: Sequence[Series]) -> float:
    """The highest rate of one series, requests a second; what `judge.counters` holds falls against, too."""
    rates = [0.0]
    for one in series:
        points = np.array(one.points, dtype=np.float64).reshape(-1, 2)
        if len(points) > 1:
            rates.append(float((np.diff(points[:, 1]) / np.diff(points[:, 0])).max()))
    return max(rates)


def _places(series: Series, grid: Floats) -> tuple[NDArray[np.intp], Floats]:
    points = np.array(series.points, dtype=np.float64).reshape(-1, 2)
    places = np.searchsorted(grid, points[:, 0])
    known = (places < len(grid)) & (grid[np.minimum(places, len(grid) - 1)] == points[:, 0])
    return places[known], points[known, 1]


def _rise(
    series: Series,
    grid: Floats,
    began: int,
    fastest: float,
    step_s: float,
    side: str,
    oddities: _Oddities,
    *,
    is_errors: bool = False,
) -> Floats:
    """What one series rose by at each moment of the grid."""
    places, values = _places(series, grid)
    rose = np.zeros(len(grid))
    if not len(values):
        return rose
    _check(values, f"{'errors' if is_errors else 'requests'} of {side}")
    steps = np.diff(values)
    fell = steps < 0
    elapsed = np.diff(grid[places], prepend=grid[places[0]] - step_s)
    likely = values <= LIKELY * fastest * elapsed + SPARE
    after_fall = likely[1:] & fell
    rose[places[1:]] = np.where(fell, np.where(after_fall, values[1:], 0.0), steps)
    oddities.restarts += int(after_fall.sum())
    oddities.left_out += int((fell & ~after_fall).sum())
    if places[0] > began:
        if likely[0] or is_errors:
            rose[places[0]] = values[0]
        else:
            oddities.left_out += 1
    return rose


def _check(values: Floats, what: str) -> None:
    if (values < 0).any() or (values > LARGEST).any() or (values != np.floor(values)).any():
        raise BadInputError(
            f"the {what} are no running totals",
            why="a value is below 0 or no whole number, as those of rate() and increase() are",
            next_step="Ask for the counters themselves, such as sum by (pod) (http_requests_total{...}).",
        )


def _together(stable: _Rises, canary: _Rises) -> None:
    """Count both sides over the same spans: what one rose by while the other was not read comes later."""
    both = stable.read & canary.read
    # Before a side begins, and after it has ended, there is nothing to wait for.
    for one in (stable, canary):
        last = int(np.flatnonzero(one.read)[-1])
        both[: one.began] = True
        both[last + 1 :] = True
    ends = np.flatnonzero(both)
    for one in (stable, canary):
        for name in ("requests", "errors"):
            total = np.concatenate(([0.0], np.cumsum(getattr(one, name))))
            moved = np.zeros(len(both))
            moved[ends] = np.diff(total[ends + 1], prepend=0.0)
            setattr(one, name, moved)


def _answers(at_s: Floats, side: _Rises) -> Answers:
    return Answers(at_s=at_s, requests=side.requests, bad=side.errors, failed=side.errors)
