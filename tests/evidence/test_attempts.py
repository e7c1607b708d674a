"""Attempts of a phase."""

from __future__ import annotations

from pathlib import Path

from rollbook.clock import SystemClock
from rollbook.evidence.attempts import latest_attempts
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
from rollbook.evidence.record import RunRecord


def test_the_last_attempt_of_each_phase_counts(tmp_path: Path) -> None:
    """What an earlier attempt of the canary said is left out; other phases are untouched."""
    folder = RunFolder.create(tmp_path, "run")
    deploy, canary = folder.journal("deploy", SystemClock()), folder.journal("canary", SystemClock())
    deploy.append(Kind.RUN, "phase started")
    canary.append(Kind.RUN, "phase started")
    canary.append(Kind.DECISION, "weight", {"weight": 20})
    canary.append(Kind.RUN, "phase started")
    canary.append(Kind.DECISION, "weight", {"weight": 50})

    kept = latest_attempts(deploy.entries())

    assert [(one.phase, one.name, one.data.get("weight")) for one in kept] == [
        ("deploy", "phase started", None),
        ("canary", "phase started", None),
        ("canary", "weight", 50),
    ]


def test_files_of_an_earlier_attempt_are_set_aside(tmp_path: Path) -> None:
    """Traffic, objects and notebooks of the first attempt keep their content under another name."""
    folder = RunFolder.create(tmp_path, "run")
    record = RunRecord(folder)
    now = SystemClock().now()
    record.begin(now, {})
    for content in ("first", "second"):
        record.phase_started(now, "canary", "canary", {}, "promoted")
        folder.traffic_log("canary").write_text(content)
        folder.notebook("canary").write_text(content)
        folder.write_object("canary", "Rollout", "orders", {"kind": content})

    kept = {str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file()}
    phase = record.phase("canary")
    assert kept == {
        "run.json",
        "traffic/canary.csv",
        "traffic/canary.attempt-1.csv",
        "notebooks/canary.ipynb",
        "notebooks/canary.attempt-1.ipynb",
        "objects/canary/Rollout-orders.json",
        "objects/canary.attempt-1/Rollout-orders.json",
    }
    assert folder.traffic_log("canary").read_text() == "second"
    assert phase is not None
    assert len(phase["earlier"]) == 1


def test_a_skipped_phase_is_no_attempt(tmp_path: Path) -> None:
    """A phase that was never reached leaves nothing to set aside."""
    folder = RunFolder.create(tmp_path, "run")
    record = RunRecord(folder)
    now = SystemClock().now()
    record.begin(now, {})
    record.phase_started(now, "canary", "canary", {}, "promoted")
    record.phase_facts("canary", started=None, outcome="skipped")
    record.phase_started(now, "canary", "canary", {}, "promoted")

    phase = record.phase("canary")
    assert phase is not None
    assert phase["earlier"] == []
