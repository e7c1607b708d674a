"""Releases to users: were they promoted, by the steps that were declared, and did users notice?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby, pairwise
from typing import Any

from rollbook.bundle.run_record import PhaseRecord
from rollbook.coverage.checks.canaries import (
    ANY_CANARY,
    CANARY,
    container_images,
    decided,
    image_digest,
    last_answers,
    rollouts,
    status,
    steps,
    weights,
)
from rollbook.coverage.lookup import Bundle, NoDataError, Refs, failed, phases, proved, refer, traffic
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import Seen
from rollbook.domain.accounting import WeightInterval, observed_splits
from rollbook.evidence.weights import SHORTEST_S, STEPS_COMPLETE

TOLERANCE = 0.9
"""A pause may be cut short by this share: a status is seen a moment after it was set."""


@check("rollout.promoted", needs=CANARY)
def promoted(bundle: Bundle, phase: str = "") -> Finding:
    """Argo made the canary's version the stable one, and the last users got it."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase, drill=False):
        complaint, refs = _not_promoted(bundle, one)
        evidence.extend(refs)
        if complaint:
            return failed(f"{one.name}: {complaint}.", *evidence)
        told.append(f"{one.canary_version} is stable after {one.name}, and answered the last users")
    return proved(f"{'; '.join(told)}.", *evidence)


def _not_promoted(bundle: Bundle, phase: PhaseRecord) -> tuple[str, Refs]:
    """Why a canary was not promoted, empty when it was; and the evidence."""
    seen = decided(bundle, phase)
    records, log = traffic(bundle, phase)
    now, evidence = status(seen), (seen.ref, log)
    if now.get("abort"):
        return f"the Rollout is aborted: {now.get('message', 'Argo gave no reason')}", evidence
    if not now.get("stableRS") or now.get("stableRS") != now.get("currentPodHash"):
        return f"stable is {now.get('stableRS')}, and not the new {now.get('currentPodHash')}", evidence
    digests = set(map(image_digest, container_images(seen.manifest["spec"]["template"]["spec"])))
    if phase.release.digest and phase.release.digest not in digests:
        return f"the Rollout does not run {phase.release.digest}, which was released", evidence
    others = {record.version for record in last_answers(records)} - {phase.canary_version}
    if others:
        return f"some of the last users were still answered by {', '.join(sorted(others))}", evidence
    return "", evidence


@check("rollout.promoted_without_user_errors", needs=CANARY)
def promoted_without_user_errors(bundle: Bundle, phase: str = "", allowed_share: float = 0.0) -> Finding:
    """It was promoted, and no more than `allowed_share` (0..1) of all user requests failed meanwhile."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase, drill=False):
        complaint, refs = _not_promoted(bundle, one)
        records, _ = traffic(bundle, one)
        bad = sum(record.failed for record in records)
        evidence.extend(refs)
        told.append(f"{bad} of {len(records)} user requests failed in {one.name}")
        if complaint or bad > allowed_share * len(records):
            return failed(f"{told[-1]}{f', and {complaint}' if complaint else ''}.", *evidence)
    return proved(f"{'; '.join(told)}; it was promoted.", *evidence)


@check("rollout.weights_followed", needs=ANY_CANARY)
def weights_followed(bundle: Bundle, phase: str = "") -> Finding:
    """The weights that the Rollout declares were set in their order; an aborted canary went back to 0."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase):
        seen = decided(bundle, one)
        declared = [int(step["setWeight"]) for step in steps(seen) if "setWeight" in step]
        changes, refs = weights(bundle, one)
        evidence.extend((seen.ref, *refs))
        if not changes:
            raise NoDataError(f"No weight was seen in {one.name}.")
        taken = [weight for weight, _ in groupby(weight for _, weight in changes) if weight]
        aborted = bool(status(seen).get("abort"))
        wanted = declared[: len(taken)] if aborted else declared
        words = f"{one.name}: {' → '.join(map(str, taken)) or 'none'} % of the declared {declared}"
        if taken != wanted or (aborted and changes[-1][1] != 0):
            return failed(f"{words}{', and not back to 0' if aborted else ''}.", *evidence)
        told.append(f"{words}{', then back to 0' if aborted else ''}")
    return proved(f"{'; '.join(told)}.", *evidence)


@check("rollout.paused", needs=CANARY)
def paused(bundle: Bundle, phase: str = "") -> Finding:
    """Between two weights Argo waited as long as the Rollout's pauses declare."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase, drill=False):
        seen = decided(bundle, one)
        declared = _pauses(seen)
        changes, refs = weights(bundle, one)
        evidence.extend((seen.ref, *refs))
        spans = [(weight, later - moment) for (moment, weight), (later, _) in pairwise(changes)]
        waited: dict[int, float] = {weight: seconds for weight, seconds in spans if weight}
        for weight, seconds in declared.items():
            if weight not in waited:
                raise NoDataError(f"How long {one.name} stayed at {weight} % was not seen.", tuple(evidence))
            if waited[weight] < seconds * TOLERANCE:
                return failed(
                    f"{one.name} stayed at {weight} % for {waited[weight]:.1f} s instead of {seconds:g} s.",
                    *evidence,
                )
            told.append(f"{waited[weight]:.1f} s at {weight} % ({seconds:g} s declared)")
    if not told:
        raise NoDataError("The Rollout declares no pause with a duration.", tuple(evidence))
    return proved(f"{'; '.join(told)}.", *evidence)


@check("rollout.split_observed", needs=ANY_CANARY)
def split_observed(bundle: Bundle, phase: str = "") -> Finding:
    """Users were split as Argo had set it: each stretch of one weight lies within the 99.9 % interval."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase):
        records, log = traffic(bundle, one)
        changes, refs = weights(bundle, one)
        evidence.extend((log, *refs, refer(bundle, "journal.jsonl", "when Argo's steps were complete")))
        start_s = records[0].scheduled_s
        end_s = _complete(bundle, one, max(record.ended_s for record in records))
        moments = [(start_s, 0), *((m, w) for m, w in changes if m > start_s), (end_s, 0)]
        stretches = [
            WeightInterval(begin, min(later, end_s), weight)
            for (begin, weight), (later, _) in pairwise(moments)
            if min(later, end_s) - begin >= SHORTEST_S
        ]
        splits = observed_splits(records, stretches, canary=one.canary_version)
        known = [split for split in splits if split.agrees is not None and split.share is not None]
        if not any(split.interval.weight for split in known):
            raise NoDataError(
                f"{one.name} had no stretch of one weight long enough to judge.", tuple(evidence)
            )
        seen = ", ".join(f"{s.interval.weight:g} %: {s.share:.1%} of {s.answered}" for s in known)
        wrong = [split for split in known if not split.agrees]
        told.append(f"{one.name} saw {seen}")
        if wrong:
            return failed(f"{told[-1]}; {len(wrong)} of {len(known)} outside the interval.", *evidence)
    return proved(f"{'; '.join(told)}.", *evidence)


def _complete(bundle: Bundle, phase: PhaseRecord, end_s: float) -> float:
    """When the steps of a canary were complete: then Argo swaps Services, and no weight says who answers."""
    canary = status(decided(bundle, phase)).get("currentPodHash")
    moments = [
        seen.at.timestamp()
        for seen in rollouts(bundle, phase)
        if seen.at is not None
        and _observed(seen.manifest)
        and not status(seen).get("abort")
        and status(seen).get("currentPodHash") == canary
        and (status(seen).get("currentStepIndex") or 0) >= len(steps(seen))
    ]
    decisions = [
        entry.time.timestamp()
        for entry in bundle.evidence.entries
        if entry.phase == phase.name and entry.name in {STEPS_COMPLETE, "promoted"}
    ]
    return min([*moments, *decisions, end_s])


def _observed(rollout: Mapping[str, Any]) -> bool:
    """Whether the controller has seen the newest template: before, the status is that of the last release."""
    observed = rollout.get("status", {}).get("observedGeneration") or 0
    return int(observed) >= int(rollout["metadata"].get("generation") or 0)


def _pauses(seen: Seen) -> dict[int, float]:
    """Declared seconds of pause by the weight at which they are; those that wait for a person left out."""
    weight, found = 0, dict[int, float]()
    for step in steps(seen):
        weight = int(step.get("setWeight", weight))
        duration = (step.get("pause") or {}).get("duration")
        if duration is not None and weight:
            found[weight] = found.get(weight, 0.0) + _seconds(str(duration))
    return found


def _seconds(duration: str) -> float:
    """Seconds of Argo's `15`, `15s`, `2m` or `1h`; ValueError for another duration."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    return float(duration) if duration.isdigit() else float(duration[:-1]) * units[duration[-1]]
