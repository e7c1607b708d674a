"""What the judge said of a canary, look by look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from rollbook.domain.judging import ABORTS, LOOK, SOURCE
from rollbook.evidence.journal import Entry, Kind
from rollbook.judge.model import Block
from rollbook.report import formats
from rollbook.report.places import Places
from rollbook.report.tables import Cell, Column, Table, text
from rollbook.report.texts import short

COUNTS = tuple(field.name for field in fields(Block))
LOOKS_LISTED = 120
SENTENCE = 300
TONES = {"harmful": "bad", "safe": "good"}


@dataclass(frozen=True)
class LooksView:
    """The last verdict in words, what qualifies it, and every look."""

    verdict: str
    tone: str
    sentence: str
    warnings: tuple[str, ...]
    aborted: bool
    """Whether the judge itself aborted the Rollout."""
    table: Table


def looks_view(entries: Sequence[Entry], start_s: float, places: Places) -> LooksView | None:
    """The looks among a phase's entries; None when it was not judged, or what is there is no look."""
    looks = [one for one in entries if _is_look(one)]
    if not looks:
        return None
    last = looks[-1].data
    verdict = short(str(last["verdict"]))
    columns = (
        Column("Second", numeric=True),
        *text("Verdict"),
        Column("Stable's errors", numeric=True),
        Column("Canary's errors", numeric=True),
        Column("Evidence (e-value)", numeric=True),
        Column("p", numeric=True),
        *text("By metric"),
        *text("Record"),
    )
    more = len(looks) - LOOKS_LISTED
    table = Table(
        "Errors of canary and stable since the canary began, at each look",
        columns,
        tuple(_row(one, start_s, places) for one in looks[:LOOKS_LISTED]),
        note=(f"And {more} more in journal.jsonl. " if more > 0 else "")
        + "The e-value is evidence that the canary is worse: on average at most 1 while it is not. p is 1 "
        "over the largest so far, and holds at whatever look it is read.",
        sources=places.file("journal.jsonl"),
    )
    warnings = last.get("warnings")
    return LooksView(
        verdict=verdict,
        tone=TONES.get(verdict, "muted"),
        sentence=short(str(last.get("sentence", "")), SENTENCE),
        warnings=tuple(short(str(one), SENTENCE) for one in warnings) if isinstance(warnings, list) else (),
        aborted=any(one.source == SOURCE and one.name == ABORTS for one in entries),
        table=table,
    )


def _is_look(entry: Entry) -> bool:
    data = entry.data
    counts = data.get("counts")
    return (
        entry.kind is Kind.OBSERVATION
        and (entry.source, entry.name) == (SOURCE, LOOK)
        and isinstance(data.get("verdict"), str)
        and isinstance(counts, dict)
        and all(isinstance(counts.get(name), int) for name in COUNTS)
    )


def _row(entry: Entry, start_s: float, places: Places) -> tuple[Cell, ...]:
    data, counts = entry.data, entry.data["counts"]
    return (
        Cell(f"{entry.time.timestamp() - start_s:.0f}"),
        Cell(short(data["verdict"]), TONES.get(data["verdict"], "")),
        Cell(f"{formats.count(counts['stable_errors'])} of {formats.count(counts['stable_total'])}"),
        Cell(f"{formats.count(counts['canary_errors'])} of {formats.count(counts['canary_total'])}"),
        Cell(_figure(data.get("e_value"))),
        Cell(_figure(data.get("p_value"))),
        Cell(_by_metric(data.get("metrics"))),
        Cell(refs=places.records(data.get("evidence"))),
    )


def _by_metric(metrics: object) -> str:
    """What is said of each metric; runs of an earlier rollbook judged errors alone."""
    if not isinstance(metrics, dict):
        return formats.NONE
    said = [f"{name} {one.get('verdict')}" for name, one in metrics.items() if isinstance(one, dict)]
    return short(", ".join(said)) or formats.NONE


def _figure(value: object) -> str:
    return formats.number(float(value), 3) if isinstance(value, int | float) else formats.NONE
