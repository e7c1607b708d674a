"""The drills of a run: what was wrong on purpose, what came of it, and whether that is what was stated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rollbook.bundle.run_record import AlertRecord, DrillRecord, PhaseRecord
from rollbook.report import formats
from rollbook.report.places import Places
from rollbook.report.tables import Cell, Table, numbers, text, without_empty_columns
from rollbook.report.texts import short

LISTED = 100
SOURCES = 12
STATES = {True: ("as stated", "good"), False: ("NOT as stated", "bad"), None: ("could not run", "warn")}


def drill_table(phases: Sequence[PhaseRecord], anchors: Mapping[str, str], places: Places) -> Table | None:
    """One row a drill; `anchors` are the places of canaries in the page. None when there was no drill."""
    drills = [phase for phase in phases if phase.parameters.get("drill")]
    if not drills:
        return None
    logs = [ref for phase in drills for ref in places.file(f"traffic/{phase.name}.csv")]
    held = sum(phase.drill.passed is True for phase in drills)
    columns, rows = without_empty_columns(
        (
            *text("Drill", "State", "What is wrong", "Ended by"),
            *numbers("Detected", "Rolled back", "Failed"),
            *text("Alert"),
            *numbers("Told", "Over"),
            *text("What does not hold"),
        ),
        [_row(phase, anchors.get(phase.name, "")) for phase in drills[:LISTED]],
    )
    return Table(
        f"{held} of {len(drills)} drills ended as drills.yaml states",
        columns,
        rows,
        note="Detected: from the version's first failed answer (its first answer when none failed) to the "
        "abort. Rolled back: from the abort to the last answer that the version gave, which may take 3 s "
        "more than its longest request in flight. Failed: of all users' requests. Told, over: from the abort "
        "until each alert was received (below 0 before the abort), and until it was over, in the order of "
        "their names; held: Alertmanager had it and held it back, as the abort is its cure.",
        sources=(*places.file("run.json"), *logs[:SOURCES]),
    )


def _row(phase: PhaseRecord, anchor: str) -> tuple[Cell, ...]:
    drill = phase.drill
    found = drill.measured
    state, tone = STATES[drill.passed]
    causes = ", ".join(short(cause) for cause in found.by_cause)
    failed = "" if found.failed is None else f"{found.failed:,} of {found.sent or 0:,}"
    return (
        Cell(short(phase.name.removeprefix("drill-")), link=f"#{anchor}" if anchor else ""),
        Cell(state, tone=tone),
        Cell(short(drill.what) or short(str(phase.parameters.get("fault", "")))),
        Cell(short(found.ended_by) or ("nobody: promoted" if found.end == "promoted" else short(found.end))),
        Cell(_seconds(found.time_to_detect_s)),
        Cell(_seconds(found.time_to_roll_back_s)),
        Cell(f"{failed}: {causes}" if causes else failed),
        Cell(", ".join(short(name) for name in (*(one.name for one in found.told), *found.others) if name)),
        Cell(", ".join(_told(one) for one in found.told)),
        Cell(", ".join(_seconds(one.resolved_after_s) or "not seen" for one in found.told)),
        Cell("" if drill.passed else _broken(drill, phase), tone="bad"),
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else formats.seconds(value)


def _told(alert: AlertRecord) -> str:
    if alert.held_back_by:
        return f"held: {_seconds(alert.held_back_after_s)}"
    return _seconds(alert.received_after_s) or "not received"


def _broken(drill: DrillRecord, phase: PhaseRecord) -> str:
    if drill.passed is None:
        return short(phase.sentence, 300)
    return "; ".join(f"{short(row.name)}: {short(row.got)}" for row in drill.rows if row.passed is False)
