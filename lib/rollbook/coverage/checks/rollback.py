"""Drills: was a faulty version taken back by itself, how fast, and whom did it hurt?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rollbook.bundle.run_record import PhaseRecord
from rollbook.coverage.checks.canaries import DRILL, decided, rollouts, status
from rollbook.coverage.lookup import (
    Bundle,
    NoDataError,
    NotExercisedError,
    Refs,
    failed,
    journal,
    phases,
    proved,
    traffic,
)
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import CLUSTER, answers, kept
from rollbook.domain.accounting import drill_figures

SETTLING_S = 2.0
"""Argo tells the abort in whole seconds, and the edge takes a moment to hear of it."""
JUDGE_DECIDES = frozenset({"abort", "gate"})
ENOUGH = 20
"""So many answers after the abort say that users are back."""


@check("rollback.automatic", needs=DRILL)
def automatic(bundle: Bundle, phase: str = "") -> Finding:
    """Argo aborted the faulty version because its analysis failed, and nobody else had."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in _left_to_argo(phases(bundle, "canary", name=phase, drill=True)):
        seen = decided(bundle, one)
        runs = kept(bundle, "AnalysisRun", one.name)
        evidence.extend((seen.ref, *(run.ref for run in runs)))
        by_hand, refs = _by_hand(bundle, one)
        evidence.extend(refs)
        if not status(seen).get("abort"):
            return failed(f"The Rollout was not aborted in {one.name}.", *evidence)
        if by_hand:
            return failed(f"{one.name}: {by_hand}.", *evidence)
        bad = [run for run in runs if status(run).get("phase") in {"Failed", "Error"}]
        if not bad:
            return failed(f"No AnalysisRun of {one.name} failed, and yet it was aborted.", *evidence)
        why = status(bad[-1]).get("message") or status(seen).get("message") or "Argo gave no reason"
        told.append(f"Argo aborted {one.canary_version} in {one.name}: {why}")
    return proved(f"{'; '.join(told)}.", *evidence)


def _left_to_argo(found: Sequence[PhaseRecord]) -> tuple[PhaseRecord, ...]:
    """The drills in which rollbook's judge may only speak. NotExercisedError when there is none of them."""
    left = tuple(one for one in found if one.parameters.get("judge") not in JUDGE_DECIDES)
    if not left:
        raise NotExercisedError(
            "In every drill of this run rollbook's judge might abort, and not Argo alone."
        )
    return left


def _by_hand(bundle: Bundle, phase: PhaseRecord) -> tuple[str, Refs]:
    """Who else aborted the rollout, empty when nobody did; and the evidence of that."""
    for answer, ref in answers(bundle, CLUSTER, "PATCH ", phase=phase.name):
        body = answer.asked.parameters.get("body")
        if isinstance(body, dict) and (body.get("status") or {}).get("abort") is True:
            return "rollbook itself asked for the abort", (ref,)
    entries, ref = journal(bundle)
    for entry in entries:
        if entry.phase == phase.name and (entry.source, entry.name) == ("rollbook", "abort"):
            return f"rollbook itself aborted it: {entry.data.get('why', '')}", (ref,)
    return "", (ref,)


@check("rollback.users_back_on_stable", needs=DRILL)
def users_back_on_stable(bundle: Bundle, phase: str = "") -> Finding:
    """After the abort the users were answered by stable alone, and stable answered them well."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase, drill=True):
        aborted, ref = _aborted(bundle, one)
        records, log = traffic(bundle, one)
        evidence.extend((ref, log))
        after = [r for r in records if r.scheduled_s >= aborted.timestamp() + SETTLING_S]
        if len(after) < ENOUGH:
            raise NoDataError(
                f"Only {len(after)} requests were due after the abort in {one.name}.", tuple(evidence)
            )
        faulty = sum(record.version == one.canary_version for record in after)
        bad = sum(record.failed for record in after)
        told.append(
            f"of {len(after)} requests due {SETTLING_S:g} s and more after the abort in {one.name}, "
            f"{faulty} were answered by {one.canary_version} and {bad} failed"
        )
        if faulty or bad:
            return failed(f"{told[-1].capitalize()}.", *evidence)
    return proved(f"{'; '.join(told).capitalize()}.", *evidence)


@check("rollback.time_to_detect_known", needs=DRILL)
def time_to_detect_known(bundle: Bundle, phase: str = "", within_s: float = float("inf")) -> Finding:
    """From the first failed answer of the faulty version to the abort went at most `within_s` seconds by."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase, drill=True):
        aborted, *refs = _seen_aborted(bundle, one)
        records, log = traffic(bundle, one)
        evidence.extend((*refs, log))
        figures = drill_figures(records, bad_version=one.canary_version, aborted_s=aborted)
        if figures.time_to_detect_s is None:
            continue
        told.append(
            f"{one.canary_version} was aborted {figures.time_to_detect_s:.1f} s after its first failure, "
            f"and {figures.users_hit} users had been hit"
        )
        if figures.time_to_detect_s > within_s:
            return failed(f"{told[-1]}; {within_s:g} s are allowed.", *evidence)
    if not told:
        raise NoDataError("No answer of a faulty version failed before its abort.", tuple(evidence))
    return proved(f"{'; '.join(told)}.", *evidence)


def _seen_aborted(bundle: Bundle, phase: PhaseRecord) -> tuple[float, EvidenceRef, EvidenceRef]:
    """When the abort was first seen, since the epoch in seconds; at the latest the end of Argo's second."""
    told, ref = _aborted(bundle, phase)
    latest = told.timestamp() + 1
    for seen in rollouts(bundle, phase):
        if seen.at is not None and status(seen).get("abort") and seen.at.timestamp() < latest:
            return seen.at.timestamp(), ref, seen.ref
    return latest, ref, ref


def _aborted(bundle: Bundle, phase: PhaseRecord) -> tuple[datetime, EvidenceRef]:
    """When Argo aborted, by its own clock. NoDataError when it did not."""
    seen = decided(bundle, phase)
    moment = status(seen).get("abortedAt")
    if not isinstance(moment, str):
        raise NoDataError(f"The Rollout kept of {phase.name} does not say when it was aborted.", (seen.ref,))
    return datetime.fromisoformat(moment), seen.ref
