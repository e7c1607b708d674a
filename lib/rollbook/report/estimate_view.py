"""What the infrastructure of a run costs, by the estimates that it kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollbook.evidence.answers import Answer
from rollbook.report import formats
from rollbook.report.places import Places
from rollbook.report.tables import Cell, Table, capped, numbers, text
from rollbook.report.texts import short

ROWS_LISTED = 40
MONTH = "month"
RUN = "run"
NOTE = 400
"""Characters of a note that are shown."""


@dataclass(frozen=True)
class EstimateView:
    """Sentences about the estimate, and the table of what it is made of."""

    sentences: tuple[str, ...]
    table: Table


def estimate_view(answers: Sequence[Answer], places: Places) -> EstimateView | None:
    """The last estimate for a month, and what the run has counted of it; None when it kept no estimate.

    A record that is no such estimate is passed over: its own section shows it as it is.
    """
    month, spent = _last(answers, MONTH), _last(answers, RUN)
    shown = month or spent
    if shown is None:
        return None
    try:
        return _view(shown, month, spent, places)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _view(shown: Answer, month: Answer | None, spent: Answer | None, places: Places) -> EstimateView:
    emulated = bool(shown.asked.parameters.get("emulated"))
    told = []
    if month is not None:
        total = float(month.answer["total"])
        hourly = total / float(month.answer["hours_per_month"])
        would = "On AWS it would cost" if emulated else "It costs"
        told.append(
            f"{would} about {total:.2f} US dollars a month, {hourly:.4f} an hour, by prices of "
            f"{short(str(month.answer['prices_of']))}, without what is charged by use."
        )
    if spent is not None:
        asked = spent.asked.parameters
        since, until = (datetime.fromisoformat(str(asked[name])) for name in ("since", "until"))
        took = formats.seconds((until - since).total_seconds())
        amount = float(spent.answer["total"])
        told.append(
            f"In the {took} until {formats.clock_time(until)} nothing was charged: an emulator stood for AWS."
            if emulated
            else f"In the {took} until {formats.clock_time(until)} that is {amount:.4f} US dollars."
        )
    told += [short(str(note), NOTE) for note in shown.answer.get("notes", ())]
    return EstimateView(tuple(told), _table(shown, spent, places))


def _table(shown: Answer, spent: Answer | None, places: Places) -> Table:
    by_run = {str(item["what"]): float(item["amount"]) for item in (spent.answer["items"] if spent else ())}
    rows = [
        (
            Cell(short(str(item["what"]))),
            Cell(f"{float(item['quantity']):g}"),
            Cell(f"{float(item['amount']):.2f}"),
            Cell(f"{by_run[str(item['what'])]:.4f}" if str(item["what"]) in by_run else ""),
            Cell(short(str(item.get("note", "")))),
        )
        for item in shown.answer["items"]
    ]
    rows += [
        (
            Cell(short(str(one["what"]))),
            Cell(),
            Cell("not known", "warn"),
            Cell(),
            Cell(short(str(one["why"]))),
        )
        for one in shown.answer.get("unknown", ())
    ]
    listed, note = capped(rows, ROWS_LISTED, "evidence/")
    per = MONTH if _per(shown) == MONTH else "run"
    columns = (
        *text("What"),
        *numbers("Quantity", f"US dollars a {per}", "Counted in this run"),
        *text("Remark"),
    )
    sources = tuple(ref for one in (shown, spent) if one is not None for ref in places.record(one.id))
    return Table("What it is made of, dearest first", columns, listed, note, sources)


def _last(answers: Sequence[Answer], per: str) -> Answer | None:
    found = [one for one in answers if one.asked.of == "cost" and _per(one) == per]
    good = [one for one in found if isinstance(one.answer, Mapping)]
    return good[-1] if good else None


def _per(answer: Answer) -> Any:
    return answer.asked.parameters.get("per")
