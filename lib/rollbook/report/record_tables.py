"""Tables of the run as a whole: steps, gates, environment, parameters, files and where it came from."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from urllib.parse import quote

from rollbook.bundle.load import Evidence, SignalSeries
from rollbook.bundle.run_record import RunRecord
from rollbook.evidence.journal import Entry, Kind
from rollbook.report import formats
from rollbook.report.tables import Cell, Column, Table, numbers, text
from rollbook.report.timeline import EDGE, Timeline

OUTCOME_TONES = {
    "passed": "good",
    "refused": "bad",
    "failed": "bad",
    "cancelled": "warn",
    "skipped": "muted",
}


def phase_table(evidence: Evidence, base: str) -> Table | None:
    """The phases with what became of them, and links to those executed notebooks that the record holds."""
    run = evidence.run
    if not run.phases:
        return None
    kept = {file.path for file in evidence.files}
    return Table(
        "Phases",
        (*text("Phase", "Outcome"), Column("Time", numeric=True), *text("What it says", "Notebook")),
        tuple(
            (
                Cell(phase.name),
                Cell(phase.outcome or "not finished", OUTCOME_TONES.get(phase.outcome, "warn")),
                Cell(formats.seconds(phase.seconds)),
                Cell(phase.sentence or formats.NONE),
                Cell("executed notebook", link=base + quote(phase.notebook_html))
                if phase.notebook_html in kept
                else Cell(formats.NONE),
            )
            for phase in run.phases
        ),
    )


def step_table(entries: Sequence[Entry]) -> Table | None:
    """Every step of the journal with its time; a step that was begun and never ended says so."""
    rows: list[tuple[Cell, ...]] = []
    begun: dict[tuple[str, str], int] = {}
    for entry in entries:
        if entry.kind is not Kind.STEP:
            continue
        state = str(entry.data.get("state", ""))
        key = (entry.phase, entry.name)
        if state == "started":
            begun[key] = len(rows)
            cells = (Cell("not finished", "warn"), Cell(formats.NONE), Cell(""))
            rows.append((Cell(entry.phase), Cell(entry.name), Cell(formats.clock_time(entry.time)), *cells))
            continue
        took = entry.data.get("seconds")
        end = (
            Cell(state, "bad" if state == "failed" else "good"),
            Cell(formats.seconds(float(took)) if isinstance(took, int | float) else formats.NONE),
            Cell(str(entry.data.get("error", ""))),
        )
        if key in begun:
            row = begun.pop(key)
            rows[row] = (*rows[row][:3], *end)
        else:
            rows.append((Cell(entry.phase), Cell(entry.name), Cell(formats.NONE), *end))
    if not rows:
        return None
    columns = (
        *text("Phase", "Step"),
        Column("Began (UTC)", numeric=True),
        *text("State"),
        Column("Time", numeric=True),
        *text("Remark"),
    )
    if not any(row[5].text for row in rows):
        columns, rows = columns[:5], [row[:5] for row in rows]
    return Table("Steps", columns, tuple(rows))


def wait_table(entries: Sequence[Entry]) -> Table | None:
    """Waits that were asked for."""
    waits = [entry for entry in entries if entry.kind is Kind.WAIT]
    if not waits:
        return None
    return Table(
        "Declared waits",
        (*text("Phase", "Wait"), *numbers("From (UTC)", "Declared")),
        tuple(
            (
                Cell(entry.phase),
                Cell(entry.name),
                Cell(formats.clock_time(entry.time)),
                Cell(formats.seconds(float(entry.data.get("declared_s") or 0.0))),
            )
            for entry in waits
        ),
    )


def gate_table(entries: Sequence[Entry]) -> Table | None:
    """Gates in the order in which they were asked."""
    gates = [entry for entry in entries if entry.kind is Kind.GATE]
    if not gates:
        return None
    return Table(
        "Gates",
        text("Gate", "Phase", "Verdict", "Expected", "Found"),
        tuple(
            (
                Cell(entry.name),
                Cell(entry.phase, "muted"),
                _gate_verdict(entry.data.get("passed")),
                Cell(_short_digests(_plain(entry.data.get("expected")))),
                Cell(_short_digests(_plain(entry.data.get("sentence") or entry.data.get("got")))),
            )
            for entry in gates
        ),
    )


def _short_digests(words: str) -> str:
    """Digests cut to the twelve characters that people compare; the record has them whole."""
    return re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}", r"\1", words)


def _gate_verdict(passed: object) -> Cell:
    if passed is None:
        return Cell("not judged", "warn")
    return Cell("passed", "good") if passed is True else Cell("refused", "bad")


def component_table(run: RunRecord) -> Table | None:
    """What the release ran on."""
    if not run.components:
        return None
    health = {
        True: Cell("healthy", "good"),
        False: Cell("not healthy", "bad"),
        None: Cell("not asked", "muted"),
    }
    return Table(
        "Components",
        text("Component", "Version", "Health", "Real or emulated", "Remark"),
        tuple(
            (
                Cell(part.name),
                Cell(part.version or formats.NONE),
                health[part.healthy],
                Cell("emulated", "warn") if part.emulated else Cell("real"),
                Cell(part.detail),
            )
            for part in run.components
        ),
    )


def parameter_table(run: RunRecord) -> Table | None:
    """Parameters of each phase."""
    rows = [
        (Cell(phase.name), Cell(name), Cell(_plain(value), code=True))
        for phase in run.phases
        for name, value in sorted(phase.parameters.items())
    ]
    if not rows:
        return None
    return Table("Parameters", text("Phase", "Parameter", "Value"), tuple(rows))


def provenance_table(evidence: Evidence) -> Table:
    """Where the run came from."""
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
        ("Began", formats.date_time(run.started), False),
        ("Ended", formats.date_time(run.ended), False),
        ("rollbook", run.rollbook, False),
        ("Python", run.python, False),
        ("Platform", run.platform, False),
        *(
            (f"Image of {phase.name}", phase.release.reference or phase.release.digest, True)
            for phase in run.phases
            if phase.release.reference or phase.release.digest
        ),
    )
    return Table(
        "Provenance",
        text("Fact", "Value"),
        tuple(
            (Cell(name), Cell(value, code=code) if value else Cell("not recorded", "muted"))
            for name, value, code in facts
        ),
    )


def file_table(evidence: Evidence) -> Table:
    """The files that this page was made from."""
    return Table(
        "Files of the record",
        (*text("File"), *numbers("Size"), *text("SHA-256")),
        tuple(
            (Cell(kept.path), Cell(formats.size(kept.size_bytes)), Cell(kept.sha256, code=True))
            for kept in evidence.files
        ),
        note="The page itself is not listed: it would have to contain its own digest.",
    )


def timeline_data(timeline: Timeline) -> Table:
    """The figures of the timeline figure."""
    columns = [Column("Second", numeric=True), Column("Weight", numeric=True)]
    for lane in timeline.lanes:
        columns += numbers(f"{lane.side}: requests/s", f"{lane.side}: failed")
        if lane.side != EDGE:
            columns += numbers(f"{lane.side}: p95")
    rows = []
    for number, at in enumerate(timeline.bin_starts):
        current = [value for since, value in timeline.weights if since <= at][-1]
        row = [Cell(f"{at:.0f}"), Cell(formats.weight(current))]
        for lane in timeline.lanes:
            row += [Cell(formats.number(lane.rps[number], 3)), Cell(formats.count(lane.failed[number]))]
            if lane.side != EDGE:
                row.append(Cell(formats.seconds(lane.p95_s[number])))
        rows.append(tuple(row))
    return Table("Data of the timeline", tuple(columns), tuple(rows))


def signal_data(series: Sequence[SignalSeries], start_s: float) -> Table | None:
    """The figures of Prometheus' signals, one row a time."""
    kept = [one for one in series if one.points]
    times = sorted({time for one in kept for time, _ in one.points})
    if not kept:
        return None
    values = [dict(one.points) for one in kept]
    return Table(
        "Data of the signals",
        (Column("Second", numeric=True), *numbers(*(f"{one.signal}, {one.side}" for one in kept))),
        tuple(
            (
                Cell(f"{time - start_s:.0f}"),
                *(
                    Cell(formats.in_unit(known.get(time), one.unit))
                    for one, known in zip(kept, values, strict=True)
                ),
            )
            for time in times
        ),
    )


def _plain(value: object) -> str:
    if value is None:
        return formats.NONE
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
