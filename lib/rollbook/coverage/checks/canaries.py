"""What several checks ask of a canary phase. No checks of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rollbook.bundle.run_record import PhaseRecord
from rollbook.coverage.lookup import Bundle, NoDataError, Refs, journal, ran
from rollbook.coverage.model import EvidenceRef
from rollbook.coverage.registry import Need
from rollbook.coverage.world import Seen, kept, objects
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.weights import weight_changes

CANARY = Need(
    "canary of a version that should be good", lambda bundle: bool(ran(bundle, "canary", drill=False))
)
DRILL = Need(
    "drill, a canary that is faulty on purpose", lambda bundle: bool(ran(bundle, "canary", drill=True))
)
ANY_CANARY = Need("canary", lambda bundle: bool(ran(bundle, "canary")))


def rollouts(bundle: Bundle, phase: PhaseRecord) -> tuple[Seen, ...]:
    """The Rollout as the phase saw it, by time, then as it was kept. NoDataError without any."""
    name = bundle.evidence.run.service.rollout
    return kept(bundle, "Rollout", phase.name, name)


def decided(bundle: Bundle, phase: PhaseRecord) -> Seen:
    """The Rollout as it was when Argo had decided: kept as a file, or the last one seen."""
    return rollouts(bundle, phase)[-1]


def status(seen: Seen) -> Mapping[str, Any]:
    """Status of an object; empty when it has none."""
    found = seen.manifest.get("status")
    return found if isinstance(found, Mapping) else {}


def steps(seen: Seen) -> Sequence[Mapping[str, Any]]:
    """Canary steps that a Rollout declares. NoDataError when it declares none."""
    found = seen.manifest["spec"]["strategy"].get("canary", {}).get("steps") or ()
    if not found:
        raise NoDataError("The Rollout declares no canary steps.", (seen.ref,))
    return tuple(found)


def weights(bundle: Bundle, phase: PhaseRecord) -> tuple[tuple[tuple[float, int], ...], Refs]:
    """Moments (seconds since the epoch) at which the canary's weight (percent) was seen to change.

    From the Rollout's status in the API server's answers, or from the journal's decisions of Argo where no
    answers were kept.
    """
    seen = [one for one in objects(bundle, "Rollout", phase=phase.name) if one.at is not None]
    told = [(one, _weight(one)) for one in seen]
    firsts = [next(group) for _, group in groupby(told, key=lambda pair: pair[1])]
    if len(firsts) > 1:
        changes = tuple((one.at.timestamp(), weight) for one, weight in firsts if one.at is not None)
        return changes, tuple(one.ref for one, _ in firsts)
    entries, ref = _of_argo(bundle, phase)
    return weight_changes(entries), (ref,)


def _weight(seen: Seen) -> int:
    canary = status(seen).get("canary") or {}
    return int(((canary.get("weights") or {}).get("canary") or {}).get("weight") or 0)


def _of_argo(bundle: Bundle, phase: PhaseRecord) -> tuple[tuple[Any, ...], EvidenceRef]:
    entries, ref = journal(bundle)
    return tuple(e for e in entries if e.phase == phase.name and e.source == "argo-rollouts"), ref


def last_answers(records: Sequence[RequestRecord], number: int = 20) -> tuple[RequestRecord, ...]:
    """The last requests that some version answered."""
    return tuple(record for record in records if record.version)[-number:]


def image_digest(reference: str) -> str:
    """`sha256:...` of an image reference; empty when it names no digest."""
    _, at, digest = reference.partition("@")
    return digest if at else ""


def container_images(pod_spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Image references of a pod's or a template's containers, init containers first."""
    containers = [*(pod_spec.get("initContainers") or ()), *(pod_spec.get("containers") or ())]
    return tuple(str(container.get("image", "")) for container in containers)
