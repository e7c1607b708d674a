"""A secret's rotation: was a new value brought to the cluster in time, and to pods by a release to users?"""

from __future__ import annotations

from rollbook.coverage.checks.canaries import CANARY, decided, status
from rollbook.coverage.lookup import Bundle, NotExercisedError, entries, failed, phases, proved
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.domain.secret import BROUGHT, VERSION_ANNOTATION
from rollbook.evidence.journal import Kind


@check("secrets.rotated_by_canary", needs=CANARY)
def rotated_by_canary(bundle: Bundle, seconds: float = 10.0) -> Finding:
    """Where a canary changed the secret's version, its pods were given that version, which was there in time.

    In time: the operator had it in the cluster within so many seconds, before the first pod. Given: the
    template that Argo promoted names it.
    """
    told: list[str] = []
    refs: list[EvidenceRef] = []
    for phase in phases(bundle, "canary", drill=False):
        steps, ref = entries(bundle, Kind.STEP, phase=phase.name, name=BROUGHT)
        done = [one.data for one in steps if one.data.get("state") == "done"]
        for one in done:
            old, new = str(one.get("before", "")), str(one.get("version", ""))
            if not old or old == new:
                continue
            seen = decided(bundle, phase)
            refs += [ref, seen.ref]
            template = seen.manifest["spec"]["template"].get("metadata") or {}
            given = (template.get("annotations") or {}).get(VERSION_ANNOTATION)
            now = status(seen)
            if given != new:
                return failed(f"{phase.name}: pods were given {given}, and {new} was brought.", *refs)
            if now.get("abort") or not now.get("stableRS") or now["stableRS"] != now.get("currentPodHash"):
                return failed(f"{phase.name}: the version {new} was not promoted.", *refs)
            took = float(one.get("seconds", float("inf")))
            if took > seconds:
                return failed(f"{phase.name}: {new} came after {took:.1f} s, not {seconds:g}.", *refs)
            told.append(f"{new} took the place of {old} by {phase.name}, {took:.1f} s after it was asked for")
    if not told:
        raise NotExercisedError("No release of this run changed the version of a secret.")
    return proved(f"{'; '.join(told)}.", *refs)
