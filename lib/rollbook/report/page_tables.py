"""Tables that the page lays out from the phases and gates of the model."""

from __future__ import annotations

import re

from rollbook.report import formats
from rollbook.report.model import ViewModel
from rollbook.report.places import address
from rollbook.report.tables import Cell, Column, Table, capped, text, without_empty_columns
from rollbook.report.texts import short

PHASES_LISTED = 100
GATES_LISTED = 200
OUTCOME_TONES = {
    "passed": "good",
    "refused": "bad",
    "failed": "bad",
    "cancelled": "warn",
    "skipped": "muted",
}


def phase_table(model: ViewModel) -> Table | None:
    """The phases with what became of them, and links to those executed notebooks that the record holds."""
    if not model.phases:
        return None
    columns, rows = without_empty_columns(
        (
            *text("Phase", "Outcome"),
            Column("Time", numeric=True),
            Column("Attempts", numeric=True),
            *text("What it says", "Notebook"),
        ),
        [
            (
                Cell(short(phase.name)),
                Cell(phase.outcome or "not finished", OUTCOME_TONES.get(phase.outcome, "warn")),
                Cell(formats.seconds(phase.seconds)),
                Cell(formats.count(phase.attempts) if phase.attempts > 1 else ""),
                Cell(phase.sentence or formats.NONE),
                Cell("notebook", link=model.base + address(phase.notebook_html))
                if phase.notebook_html
                else Cell(formats.NONE),
            )
            for phase in model.phases
        ],
    )
    listed, note = capped(rows, PHASES_LISTED, "run.json")
    return Table("Phases", columns, listed, note)


def gate_table(model: ViewModel) -> Table | None:
    """Gates in the order in which they were asked, each with the records that it rests on."""
    if not model.gates:
        return None
    columns, rows = without_empty_columns(
        (
            *text("Gate", "Phase", "Verdict", "Expected", "Found"),
            Column("Time", numeric=True),
            *text("Records"),
        ),
        [
            (
                Cell(short(gate.name)),
                Cell(short(gate.phase), "muted"),
                _verdict(gate.passed),
                Cell(short_digests(gate.expected)),
                Cell(short_digests(gate.sentence or gate.got)),
                Cell(formats.seconds(gate.seconds) if gate.seconds else ""),
                Cell(refs=gate.refs),
            )
            for gate in model.gates
        ],
    )
    totals = model.totals
    listed, note = capped(rows, GATES_LISTED, "journal.jsonl")
    return Table(
        "Gates",
        columns,
        listed,
        note=f"{note} Of {formats.count(totals.tests)} phases and gates, {formats.count(totals.passed)} "
        f"passed, {formats.count(totals.failures)} were refused, {formats.count(totals.errors)} failed and "
        f"{formats.count(totals.skipped)} were skipped.".strip(),
    )


def short_digests(words: str) -> str:
    """Digests cut to the twelve characters that people compare; the record has them whole."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", words)


def _verdict(passed: bool | None) -> Cell:
    if passed is None:
        return Cell("not judged", "warn")
    return Cell("passed", "good") if passed else Cell("refused", "bad")
