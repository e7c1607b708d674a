"""`reports/index.html`: all runs beneath a folder, newest first, with their trends on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from filelock import FileLock, Timeout

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.folder import write_atomically
from rollbook.history import sparkline
from rollbook.history.look import formats, link, page, short
from rollbook.history.rows import Ending, Hits, Listing, PhaseRow, RunRow, scan
from rollbook.history.sealing import RecordSeal
from rollbook.history.trends import Group, Trend, groups

FILE = "index.html"
LOCK = ".index.lock"
LOCK_S = 20.0
"""How long another writer is waited for: one that hangs must not hold up the end of a run."""
NAME, SENTENCE = 80, 160
"""Characters of a name, and of the sentence of a run that did not pass."""

ENDING_TONES = {Ending.PASSED: "good", Ending.REFUSED: "bad", Ending.FAILED: "bad"}
SEAL_TONES = {RecordSeal.SIGNED: "good", RecordSeal.CHANGED: "bad", RecordSeal.OPEN: "warn"}


@dataclass(frozen=True)
class _Chart:
    """A chart with its newest value and a remark."""

    title: str
    value: str
    remark: str
    svg: str
    """Markup: the chart escapes its texts itself."""


@dataclass(frozen=True)
class _Line:
    """A row of the table, in words. `link` is empty where there is no report."""

    run_id: str
    folder: str
    link: str
    day: str
    time: str
    service: str
    target: str
    tone: str
    ending: str
    sentence: str
    phases: tuple[tuple[str, str, str], ...]
    """Names, what became of them, and the tone of that."""
    release: str
    hit: bool
    drill: str
    detect: str
    roll_back: str
    coverage: str
    note: str
    duration: str
    seal: str
    seal_tone: str


def write_index(out: Path) -> Path:
    """Write `index.html` of all runs beneath `out`, whole or not at all, and return its path.

    Writers wait for each other, so that the page of the last one has seen what the others wrote.
    BadInputError when `out` is no folder of runs, EnvironmentFailedError when it cannot be read or written.
    """
    if not out.is_dir():
        raise BadInputError(f"there is no folder {out}", next_step="Give the folder that the runs are in.")
    if (out / "run.json").is_file():
        raise BadInputError(
            f"{out} is the folder of one run",
            why="an index is made of the folder that the runs are in",
            next_step=f"rollbook index {out.parent}",
        )
    lock = FileLock(out / LOCK, timeout=LOCK_S)
    try:
        lock.acquire()
    except Timeout:
        pass  # the page is replaced as a whole; at worst it is a run behind until the next one
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        write_atomically(out / FILE, render(scan(out)).encode("utf-8", errors="replace"))
    except OSError as error:
        raise _unwritable(out, error) from error
    finally:
        lock.release()
    return out / FILE


def render(listing: Listing) -> str:
    """The page: the same text for the same runs, whenever and wherever it is made."""
    runs = listing.runs
    return page(
        "index.html",
        runs=[_line(row) for row in runs],
        passed=sum(row.ending is Ending.PASSED for row in runs),
        newest=formats.date_time(runs[0].started) if runs else formats.NONE,
        groups=[
            (short(group.name, NAME), _charts(group, number)) for number, group in enumerate(groups(runs))
        ],
        others=[
            (short(one.path, NAME), short(one.what, NAME), short(one.why, SENTENCE)) for one in listing.others
        ],
    )


def _unwritable(out: Path, error: OSError) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        f"cannot make {out / FILE}",
        why=error.strerror or str(error),
        next_step="See that the folder may be read and written to.",
    )


def _charts(group: Group, number: int) -> list[_Chart]:
    latest = group.endings[-1].value
    first = _Chart(
        "How runs ended",
        latest,
        group.endings_remark,
        sparkline.endings(
            group.endings,
            anchor=f"g{number}-0",
            title="How runs ended, the oldest on the left",
            description=f"{group.endings_remark}; the last one: {latest}.",
        ),
    )
    return [first, *(_chart(trend, f"g{number}-{place}") for place, trend in enumerate(group.trends, 1))]


def _chart(trend: Trend, anchor: str) -> _Chart:
    svg = sparkline.line(
        trend.values,
        ceiling=trend.ceiling,
        anchor=anchor,
        title=f"{trend.title}, the oldest run on the left",
        description=f"Latest: {trend.latest}; {trend.remark}.",
    )
    return _Chart(trend.title, trend.latest, trend.remark, svg)


def _line(row: RunRow) -> _Line:
    day, _, time = formats.date_time(row.started).partition(" ")
    coverage = row.proved is not None and row.requirements is not None
    return _Line(
        run_id=short(row.run_id, NAME),
        folder="" if row.path == row.run_id else short(row.path, NAME),
        link=link(f"{row.path}/report.html") if row.report else "",
        day=day,
        time=time,
        service=short(row.service, NAME) or "unnamed service",
        target=short(row.target, NAME) or "unnamed target",
        tone=ENDING_TONES.get(row.ending, "warn"),
        ending=row.ending.value,
        sentence="" if row.ending is Ending.PASSED else short(row.sentence, SENTENCE),
        phases=_phases(row.phases),
        release=_hits(row.release),
        hit=bool(row.release and row.release.failed),
        drill=_hits(row.drill),
        detect=formats.seconds(row.detect_s),
        roll_back=formats.seconds(row.roll_back_s),
        coverage=f"{row.proved} of {row.requirements}" if coverage else formats.NONE,
        note=short(row.note, SENTENCE),
        duration=formats.seconds(row.duration_s),
        seal=row.seal.value,
        seal_tone=SEAL_TONES.get(row.seal, ""),
    )


def _phases(phases: Sequence[PhaseRow]) -> tuple[tuple[str, str, str], ...]:
    """Neighbours with one word are told together."""
    tones = {True: "good", False: "bad", None: "muted"}
    return tuple(
        (short(", ".join(one.name for one in list(alike)), NAME), short(word, NAME), tones[passed])
        for (word, passed), alike in groupby(phases, key=lambda one: (one.word, one.passed))
    )


def _hits(hits: Hits | None) -> str:
    return formats.NONE if hits is None else f"{formats.count(hits.failed)} of {formats.count(hits.sent)}"
