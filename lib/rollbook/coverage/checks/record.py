"""The run's own record: its gates, what validate saw, and where the run came from."""

from __future__ import annotations

import re

from rollbook.coverage.checks.canaries import status
from rollbook.coverage.lookup import (
    Bundle,
    NoDataError,
    NotExercisedError,
    content,
    entries,
    failed,
    few,
    json_of,
    judged,
    phases,
    proved,
    ran,
    refer,
)
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import Need, check
from rollbook.coverage.world import objects, project_files, yaml_of
from rollbook.evidence.answers import path_of
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.resting import EVIDENCE

VALIDATE = Need("validate phase", lambda bundle: bool(ran(bundle, "validate")))
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@check("gates.all_passed")
def gates_all_passed(bundle: Bundle) -> Finding:
    """Every gate of the run passed, and every record that a gate names is there."""
    gates, log = entries(bundle, Kind.GATE)
    if not gates:
        raise NotExercisedError("This run came to no gate.")
    refs = [ref for gate in gates for ref in _records(bundle, gate)]
    empty = sum(gate.data.get("passed") is None for gate in gates)
    refused = [gate for gate in gates if gate.data.get("passed") is False]
    if refused:
        told = "; ".join(f"{gate.phase}: {gate.name}: {gate.data.get('sentence', '')}" for gate in refused)
        return failed(f"{len(refused)} of {len(gates)} gates refused: {told}", log, *few(refs))
    more = f"; {empty} had nothing to check" if empty else ""
    return proved(f"{len(gates) - empty} gates passed, and none refused{more}.", log, *few(refs))


def _records(bundle: Bundle, gate: Entry) -> tuple[EvidenceRef, ...]:
    """The records that a gate names. NoDataError when one of them is not there, or is not what it was."""
    return tuple(refer(bundle, path_of(str(one)), gate.name) for one in gate.data.get(EVIDENCE) or ())


@check("postconditions.validated", needs=VALIDATE)
def validated(bundle: Bundle) -> Finding:
    """Validate's gates passed, and the API server's answers say the same: one healthy, stable Rollout."""
    evidence: list[EvidenceRef] = []
    count = 0
    for phase in phases(bundle, "validate"):
        gates, log = entries(bundle, Kind.GATE, phase=phase.name)
        seen = objects(bundle, "Rollout", phase=phase.name, name=bundle.evidence.run.service.rollout)
        if not gates or not seen:
            raise NoDataError(f"{phase.name} left no {'answer about the Rollout' if gates else 'gate'}.")
        evidence.extend(
            (log, seen[-1].ref, *few([ref for gate in gates for ref in _records(bundle, gate)], 6))
        )
        refused = [gate.name for gate in gates if gate.data.get("passed") is False]
        if refused:
            return failed(f"Refused in {phase.name}: {', '.join(refused)}.", *evidence)
        now = status(seen[-1])
        if (
            now.get("phase") != "Healthy"
            or now.get("stableRS") != now.get("currentPodHash")
            or now.get("abort")
        ):
            return failed(f"The gates passed, and yet the Rollout was {now.get('phase')}.", *evidence)
        count += sum(gate.data.get("passed") is True for gate in gates)
    return proved(f"{count} gates passed, and the Rollout was Healthy with one version.", *evidence)


@check("provenance.commit_known")
def commit_known(bundle: Bundle, clean: bool = False) -> Finding:
    """The run names the commit that git gave for the project's files (with `clean`: with no file changed)."""
    _, ref, listed = project_files(bundle)
    record = refer(bundle, "run.json", "the commit that the run names")
    commit, dirty = str(listed.get("commit", "")), listed.get("dirty") or ()
    told = bundle.evidence.run.commit.sha
    if not _COMMIT.fullmatch(commit):
        return failed("The project was no checkout of git, so nobody can say what ran.", ref, record)
    if told != commit:
        return failed(
            f"The run names commit {told[:12] or '(none)'}, and git said {commit[:12]}.", ref, record
        )
    changed = f", with {len(dirty)} files changed since" if dirty else ", with no file changed"
    return judged(not (clean and dirty), f"The run was made from commit {commit[:12]}{changed}.", ref, record)


@check("coverage.pinned")
def pinned(bundle: Bundle) -> Finding:
    """The run's folder has the requirements and the pins that were taken when it began, of the same ids."""
    pins, ref = json_of(bundle, "pins.json", "what was pinned when the run began")
    text, kept = content(bundle, "requirements.yaml", "the requirements when the run began")
    ids = {str(row["id"]) for row in yaml_of(text.decode(), kept.path)["requirements"]}
    other = ids ^ set(pins["requirements"])
    if other:
        return failed(f"Pinned and required are not the same: {', '.join(sorted(other)[:5])}.", ref, kept)
    return proved(f"{len(ids)} requirements are pinned with the code that checks them.", ref, kept)
