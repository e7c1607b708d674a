"""The machine-readable end of a run, from its record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollbook.evidence.folder import RunFolder

SUMMARY_SCHEMA = 1
PHASE_KEYS = ("name", "runbook", "outcome", "exit_code", "expected", "verdict", "seconds", "sentence")


def timing(run: Mapping[str, Any], ended: datetime) -> dict[str, float]:
    """Seconds in all, in declared waits (pauses of the strategy, lead times), and what is rollbook's own."""
    total = (ended - datetime.fromisoformat(run["started"])).total_seconds()
    declared = sum(float(phase.get("declared_s") or 0.0) for phase in run["phases"])
    own = max(0.0, total - declared)
    return {
        "total_s": round(total, 1),
        "declared_s": round(declared, 1),
        "own_s": round(own, 1),
        "own_share": round(own / total, 3) if total else 0.0,
    }


def summary(folder: RunFolder) -> dict[str, Any]:
    """The object that `rollbook run --json` prints.

    `verdicts` by phase, `requests` by phase and version (sent, failed), `seconds_to_detect` and
    `seconds_to_roll_back` of each canary that was rolled back (null where it does not apply).
    """
    run = folder.read_run()
    canaries = [phase for phase in run["phases"] if phase["runbook"] == "canary"]
    outcome = run.get("outcome") or {}
    return {
        "schema": SUMMARY_SCHEMA,
        "run": run["id"],
        "folder": str(folder.path),
        "report": str(folder.report) if folder.report.exists() else None,
        "target": run.get("target"),
        "exit_code": outcome.get("exit_code"),
        "sentence": outcome.get("sentence"),
        "verdicts": {phase["name"]: phase.get("verdict") for phase in canaries},
        "requests": {phase["name"]: phase.get("users") for phase in canaries},
        "seconds_to_detect": {phase["name"]: phase.get("time_to_detect_s") for phase in canaries},
        "seconds_to_roll_back": {phase["name"]: phase.get("time_to_roll_back_s") for phase in canaries},
        "phases": [{key: phase.get(key) for key in PHASE_KEYS} for phase in run["phases"]],
        "timing": run.get("timing"),
    }
