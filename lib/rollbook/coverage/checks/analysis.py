"""What Argo measured while a canary had users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rollbook.bundle.analysis_runs import parse_analysis_run
from rollbook.coverage.checks.canaries import ANY_CANARY
from rollbook.coverage.lookup import Bundle, NoDataError, NotExercisedError, failed, judged, phases, proved
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import kept, objects
from rollbook.domain.rollout import AnalysisRun

RULED = {"Successful", "Failed", "Inconclusive"}
"""Phases of a measurement that has an answer; an `Error` is none."""


@check("analysis.measured", needs=ANY_CANARY)
def measured(bundle: Bundle, phase: str = "", metrics: Sequence[str] = ()) -> Finding:
    """Each metric of each canary's AnalysisRun has a query, a condition, and measurements with a value."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase):
        newest = {
            str(seen.manifest["metadata"]["name"]): seen for seen in kept(bundle, "AnalysisRun", one.name)
        }
        evidence.extend(seen.ref for seen in newest.values())
        runs = [parse_analysis_run(seen.manifest) for seen in newest.values()]
        complaint = _complaint(runs, metrics)
        if complaint:
            return failed(f"{one.name}: {complaint}.", *evidence)
        count = sum(len(metric.measurements) for run in runs for metric in run.metrics)
        if not count:
            raise NoDataError(f"The AnalysisRun of {one.name} holds no measurement.", tuple(evidence))
        names = sorted({metric.name for run in runs for metric in run.metrics})
        told.append(f"{count} measurements of {', '.join(names)} in {one.name}")
    return proved(f"Argo took {'; '.join(told)}.", *evidence)


def _complaint(runs: Sequence[AnalysisRun], wanted: Sequence[str]) -> str:
    found = {metric.name for run in runs for metric in run.metrics}
    missing = sorted(set(wanted) - found)
    if missing:
        return f"nothing measured {', '.join(missing)}"
    for run in runs:
        for metric in run.metrics:
            if not metric.query or not (metric.success_condition or metric.failure_condition):
                return f"{metric.name} of {run.name} has no query or no condition"
            if metric.measurements and not any(m.phase in RULED for m in metric.measurements):
                return (
                    f"every measurement of {metric.name} ended in an error: {metric.measurements[-1].message}"
                )
    return ""


@check("experiment.analysed")
def experiment_analysed(bundle: Bundle) -> Finding:
    """An Argo Experiment ran its templates side by side and was judged by an AnalysisRun that ended well."""
    found = objects(bundle, "Experiment")
    if not found:
        raise NotExercisedError("No Argo Experiment was seen in this run.")
    last = found[-1]
    now: Mapping[str, Any] = last.manifest.get("status") or {}
    runs = now.get("analysisRuns") or ()
    name = last.manifest["metadata"]["name"]
    # Argo does not come back to note how runs ended that it ended itself: they say it themselves.
    named = {str(run.get("analysisRun", "")): str(run.get("phase", "")) for run in runs}
    seen = {
        str(one.manifest["metadata"]["name"]): one
        for one in objects(bundle, "AnalysisRun")
        if one.manifest["metadata"]["name"] in named
    }
    ended = named | {key: str((one.manifest.get("status") or {}).get("phase")) for key, one in seen.items()}
    good = now.get("phase") == "Successful" and bool(ended) and set(ended.values()) == {"Successful"}
    told = f"{sum(phase == 'Successful' for phase in ended.values())} of {len(ended)} AnalysisRuns successful"
    sentence = f"Experiment {name} is {now.get('phase', 'without a phase')}, with {told}."
    return judged(good, sentence, last.ref, *(one.ref for one in seen.values()))
