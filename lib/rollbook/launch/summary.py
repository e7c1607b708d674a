"""How a run ended, told as JSON: from the same view model as the page, `summary.md` and `junit.xml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rollbook.evidence.folder import RunFolder
from rollbook.report.build import build
from rollbook.report.canary_view import CanaryView
from rollbook.report.cases import GateView, PhaseView
from rollbook.report.coverage_view import CoverageView

SUMMARY_SCHEMA = 1


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

    `verdicts` by phase, `requests` by phase and version (sent, failed) as the log of users' requests has
    them, `seconds_to_detect` and `seconds_to_roll_back` of each canary that was rolled back (null where it
    does not apply), `gates`, `totals` as `junit.xml` has them, and `coverage`: requirements by state.
    """
    run, model = folder.read_run(), build(folder)
    names = [phase.name for phase in model.phases if phase.runbook == "canary"]
    views: dict[str, CanaryView | None] = dict.fromkeys(names)
    views |= {view.name: view for view in model.canaries}
    verdicts = {phase.name: phase.verdict or None for phase in model.phases if phase.name in views}
    return {
        "schema": SUMMARY_SCHEMA,
        "run": run["id"],
        "folder": str(folder.path),
        "report": str(folder.report) if folder.report.exists() else None,
        "target": run.get("target"),
        "exit_code": model.outcome.exit_code,
        "sentence": (run.get("outcome") or {}).get("sentence"),
        "verdicts": verdicts,
        "requests": {name: _requests(view) if view else None for name, view in views.items()},
        "seconds_to_detect": {
            name: view.times.detect_s if view and view.times else None for name, view in views.items()
        },
        "seconds_to_roll_back": {
            name: view.times.roll_back_s if view and view.times else None for name, view in views.items()
        },
        "phases": [_phase(phase) for phase in model.phases],
        "gates": [_gate(gate) for gate in model.gates],
        "journal": asdict(model.journal),
        "totals": asdict(model.totals),
        "coverage": _coverage(model.coverage),
        "timing": run.get("timing"),
    }


def _requests(view: CanaryView) -> dict[str, Any] | None:
    """What users got, by version; None when no request is on record."""
    if not view.versions:
        return None
    by_version: dict[str, dict[str, Any]] = {}
    for one in view.versions:
        counts = by_version.setdefault(one.version, {"sent": 0, "failed": 0, "by_cause": {}})
        counts["sent"] += one.sent
        counts["failed"] += one.failed
        for cause, number in one.by_cause:
            counts["by_cause"][cause] = counts["by_cause"].get(cause, 0) + number
    return {"sent": view.sent, "failed": view.failed, "by_version": by_version}


def _phase(phase: PhaseView) -> dict[str, Any]:
    return {
        "name": phase.name,
        "runbook": phase.runbook,
        "outcome": phase.outcome or None,
        "exit_code": phase.exit_code,
        "expected": phase.expected or None,
        "verdict": phase.verdict or None,
        "seconds": phase.seconds,
        "sentence": phase.sentence,
        "attempts": phase.attempts,
    }


def _gate(gate: GateView) -> dict[str, Any]:
    return {
        "phase": gate.phase,
        "name": gate.name,
        "passed": gate.passed,
        "expected": gate.expected,
        "got": gate.got,
        "sentence": gate.sentence,
        "seconds": gate.seconds,
    }


def _coverage(view: CoverageView | None) -> dict[str, int] | None:
    """Requirements by state; None when coverage was not computed."""
    if view is None or not view.computed:
        return None
    return {"requirements": len(view.requirements), **{one.name: one.number for one in view.states}}
