"""Tables of the run as a whole: steps, waits, environment, parameters, and where it came from."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rollbook.bundle.load import Evidence
from rollbook.bundle.run_record import ComponentRecord, RunRecord
from rollbook.evidence.journal import Entry, Kind
from rollbook.report import formats
from rollbook.report.places import Places
from rollbook.report.tables import Cell, Column, Table, capped, numbers, text, without_empty_columns
from rollbook.report.texts import short

STEPS_LISTED = 300
WAITS_LISTED = 100
PARAMETERS_LISTED = 300
COMPONENTS_LISTED = 100
STANDS_IN = "stands in"
"""So begins the remark of a part that is neither the real one nor an emulation of a service."""
JOURNAL = "journal.jsonl"


def step_table(entries: Sequence[Entry], places: Places) -> Table | None:
    """Every step of the journal with its time; a step that was begun and never ended says so."""
    rows: list[tuple[Cell, ...]] = []
    begun: dict[tuple[str, str], int] = {}
    for entry in entries:
        if entry.kind is not Kind.STEP:
            continue
        state = str(entry.data.get("state", ""))
        key = (entry.phase, entry.name)
        names = (Cell(short(entry.phase)), Cell(short(entry.name)))
        if state == "started":
            begun[key] = len(rows)
            end = (Cell("not finished", "warn"), Cell(formats.NONE), Cell(), Cell())
            rows.append((*names, Cell(formats.clock_time(entry.time)), *end))
            continue
        took = entry.data.get("seconds")
        end = (
            Cell(state, "bad" if state == "failed" else "good"),
            Cell(formats.seconds(float(took)) if isinstance(took, int | float) else formats.NONE),
            Cell(str(entry.data.get("error", ""))),
            Cell(refs=places.records(entry.data.get("evidence"))),
        )
        if key in begun:
            row = begun.pop(key)
            rows[row] = (*rows[row][:3], *end)
        else:
            rows.append((*names, Cell(formats.NONE), *end))
    if not rows:
        return None
    columns = (
        *text("Phase", "Step"),
        Column("Began (UTC)", numeric=True),
        *text("State"),
        Column("Time", numeric=True),
        *text("Remark", "Records"),
    )
    listed, note = capped(rows, STEPS_LISTED, JOURNAL)
    columns, listed = without_empty_columns(columns, listed)
    return Table("Steps", columns, listed, note, places.file(JOURNAL))


def wait_table(entries: Sequence[Entry], places: Places) -> Table | None:
    """Waits that were asked for."""
    waits = [entry for entry in entries if entry.kind is Kind.WAIT]
    if not waits:
        return None
    rows, note = capped(
        [
            (
                Cell(short(entry.phase)),
                Cell(short(entry.name)),
                Cell(formats.clock_time(entry.time)),
                Cell(_declared(entry)),
            )
            for entry in waits
        ],
        WAITS_LISTED,
        JOURNAL,
    )
    columns = (*text("Phase", "Wait"), *numbers("From (UTC)", "Declared"))
    return Table("Declared waits", columns, rows, note, places.file(JOURNAL))


def _declared(entry: Entry) -> str:
    seconds = entry.data.get("declared_s")
    return formats.seconds(float(seconds)) if isinstance(seconds, int | float) else formats.NONE


def component_table(run: RunRecord, places: Places) -> Table | None:
    """What the release ran on."""
    if not run.components:
        return None
    health = {
        True: Cell("healthy", "good"),
        False: Cell("not healthy", "bad"),
        None: Cell("not asked", "muted"),
    }
    rows, note = capped(
        [
            (
                Cell(short(part.name)),
                Cell(short(part.version) or formats.NONE),
                health[part.healthy],
                _realness(part),
                Cell(part.detail),
            )
            for part in run.components
        ],
        COMPONENTS_LISTED,
        "run.json",
    )
    columns = text("Component", "Version", "Health", "Real or not", "Remark")
    return Table("Components", columns, rows, note, places.file("run.json"))


def _realness(part: ComponentRecord) -> Cell:
    if part.emulated:
        return Cell("emulated", "warn")
    return Cell("stands in", "warn") if part.detail.startswith(STANDS_IN) else Cell("real")


def parameter_table(run: RunRecord, places: Places) -> Table | None:
    """Parameters of each phase."""
    found = [
        (Cell(short(phase.name)), Cell(short(name)), Cell(formats.plain(value), code=True))
        for phase in run.phases
        for name, value in sorted(phase.parameters.items())
    ]
    if not found:
        return None
    rows, note = capped(found, PARAMETERS_LISTED, "run.json")
    return Table("Parameters", text("Phase", "Parameter", "Value"), rows, note, places.file("run.json"))


def provenance_table(evidence: Evidence, requirements: str, digest: str, places: Places) -> Table:
    """Where the run came from, and what it rests on.

    `requirements` is where the requirements are from, empty without any; `digest` the evidence's SHA-256.
    """
    run = evidence.run
    states = {True: " with uncommitted changes", False: "", None: ""}
    facts = (
        ("Run", evidence.run_id, True),
        ("Command", shlex.join(run.command), True),
        ("Commit", f"{run.commit.sha}{states[run.commit.dirty]}" if run.commit.sha else "", True),
        ("Target", run.target, False),
        ("Overlay", run.overlay, False),
        (
            "Namespace / Rollout",
            " / ".join(filter(None, (run.service.namespace, run.service.rollout))),
            False,
        ),
        ("Began", formats.date_time(run.started) if run.started else "", False),
        ("Ended", formats.date_time(run.ended) if run.ended else "", False),
        ("rollbook", run.rollbook, False),
        ("Python", run.python, False),
        ("Platform", run.platform, False),
        *(
            (f"Image of {short(phase.name)}", phase.release.reference or phase.release.digest, True)
            for phase in run.phases
            if phase.release.reference or phase.release.digest
        ),
        *([("Requirements", requirements, False)] if requirements else []),
        ("Journal", evidence.seal.sentence, False),
        ("SHA-256 of the evidence", digest, True),
    )
    return Table(
        "Provenance",
        text("Fact", "Value"),
        tuple(
            (Cell(name), Cell(value, code=code) if value else Cell("not recorded", "muted"))
            for name, value, code in facts
        ),
        note="The digest is over every file of the evidence, as manifest.json lists them. This page is made "
        "before the run is sealed, so it cannot say whether the seal is signed: `rollbook verify` does.",
        sources=places.file("run.json"),
    )
