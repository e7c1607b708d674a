"""Drills in the report."""

from __future__ import annotations

from typing import Any

from rollbook.bundle.load import Evidence
from rollbook.bundle.run_record import PhaseRecord, RunRecord
from rollbook.evidence.seal import Seal, SealState
from rollbook.report.drills_view import drill_table
from rollbook.report.places import Places
from rollbook.report.tables import Table

PLACES = Places(Evidence("run", RunRecord(), (), SealState(Seal.OPEN, ""), ()))
MEASURED = {
    "end": "rolled-back",
    "ended_by": "judge",
    "sent": 1093,
    "failed": 6,
    "by_cause": {"app-error": 6},
    "time_to_detect_s": 2.7,
    "time_to_roll_back_s": 0.096,
    "alert": {"name": "RolloutAborted", "received_after_s": 31.4, "resolved_after_s": 131.4},
}


def drill(name: str, **facts: Any) -> PhaseRecord:
    """A phase that is a drill, with these facts of it."""
    told = {"name": f"drill-{name}", "runbook": "canary", "parameters": {"drill": name}, **facts}
    return PhaseRecord.model_validate(told)


def shown(*phases: PhaseRecord) -> Table:
    """The table of these phases."""
    found = drill_table(phases, {"drill-errors": "canary-1"}, PLACES)
    assert found is not None
    return found


def test_a_drill_is_told_with_all_that_was_measured() -> None:
    """One row says what was wrong, who ended it, how fast, whom it hurt and who was told."""
    facts = {"passed": True, "what": "one request in five fails", "measured": MEASURED}
    found = shown(drill("errors", drill=facts))

    assert "1 of 1 drills ended as drills.yaml states" == found.caption
    assert "What does not hold" not in [column.title for column in found.columns]
    cells = [cell.text.replace("\xa0", " ") for cell in found.rows[0]]
    assert ["errors", "as stated", "one request in five fails", "judge", "2.7 s"] == cells[:5]
    assert ["6 of 1,093: app-error", "RolloutAborted", "31.4 s"] == cells[6:9]
    assert "#canary-1" == found.rows[0][0].link


def test_every_alert_is_told() -> None:
    """Which were received and when, which were held back, and when each was over."""
    held = {"name": "Fails", "held_back_after_s": 27.5, "held_back_by": ["Aborted"], "resolved_after_s": 60}
    early = {"name": "Restarts", "received_after_s": -1.5}
    told = {**MEASURED, "alerts": [MEASURED["alert"], held, early], "others": ["Other"]}
    found = shown(drill("errors", drill={"passed": True, "measured": told}))

    texts = {
        column.title: cell.text.replace("\xa0", " ")
        for column, cell in zip(found.columns, found.rows[0], strict=True)
    }
    assert "RolloutAborted, Fails, Restarts, Other" == texts["Alert"]
    assert "31.4 s, held: 27.5 s, -1.5 s" == texts["Told"].replace("\u2212", "-")
    assert "2 min 11 s, 60.0 s, not seen" == texts["Over"]


def test_what_does_not_hold_is_told() -> None:
    """A drill that did not end as stated says which statement, and what it was instead."""
    rows = [
        {"name": "end", "passed": True, "got": "rolled-back"},
        {"name": "failed requests", "passed": False, "got": "40 of 1,000 (4.00%)"},
    ]
    found = shown(drill("errors", drill={"passed": False, "rows": rows, "measured": MEASURED}))

    assert "0 of 1 drills ended as drills.yaml states" == found.caption
    assert ("NOT as stated", "bad") == (found.rows[0][1].text, found.rows[0][1].tone)
    assert "failed requests: 40 of 1,000 (4.00%)" == found.rows[0][-1].text


def test_a_drill_that_could_not_run_says_why() -> None:
    """Neither of the two: the phase ended before anything was measured."""
    found = shown(drill("errors", sentence="the Rollout hello is Paused, not healthy"))

    assert ["errors", "could not run"] == [cell.text for cell in found.rows[0][:2]]
    assert "the Rollout hello is Paused, not healthy" == found.rows[0][-1].text


def test_without_drills_there_is_no_table() -> None:
    """A run of canaries alone has none."""
    assert None is drill_table([PhaseRecord(name="canary", runbook="canary")], {}, PLACES)
