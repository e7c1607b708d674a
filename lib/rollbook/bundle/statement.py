"""The statement about a run: an in-toto Statement (v1) with a test-result predicate (v0.1).

It follows from the manifest, `run.json` and the journal alone, so that whoever verifies a bundle can make it
again and compare. Its form is that of https://github.com/in-toto/attestation, `spec/v1/statement.md` and
`spec/predicates/test-result.md`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rollbook.bundle.manifest import MANIFEST, Manifest
from rollbook.bundle.run_record import PhaseRecord, RunRecord, parse_run
from rollbook.evidence.attempts import latest_attempts
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Entry, Kind, read_journal

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
_CONFIGURATION = ("run.json", "requirements.yaml")


def statement_of(root: Path, manifest: Manifest, manifest_sha256: str) -> bytes:
    """The statement as JSON in one spelling. Raises what reading `run.json` and the journal raises.

    Subjects are the manifest and the images that the run left in service, by digest; of a run that failed,
    the images that it tried. An image that was sent back, and one that was faulty on purpose, is no subject
    of a run that passed: nobody may take it for tested and good.
    """
    run = parse_run(RunFolder(root).read_run())
    gates = [one for one in latest_attempts(read_journal(root / "journal.jsonl")) if one.kind is Kind.GATE]
    passed = [f"phase {one.name}" for one in run.phases if one.outcome == "passed"]
    failed = [f"phase {one.name}" for one in run.phases if one.outcome not in {"", "passed", "skipped"}]
    passed += [_gate(one) for one in gates if one.data.get("passed") is True]
    warned = [_gate(one) for one in gates if one.data.get("passed") is None]
    failed += [_gate(one) for one in gates if one.data.get("passed") is False]
    whole = run.outcome.exit_code == 0 and not failed
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [_manifest(manifest, manifest_sha256), *_images(run, whole=whole)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": ("WARNED" if warned else "PASSED") if whole else "FAILED",
            "configuration": _configuration(run, manifest),
            "passedTests": passed,
            "warnedTests": warned,
            "failedTests": failed,
        },
    }
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _gate(entry: Entry) -> str:
    return f"gate {entry.phase}: {entry.name}"


def _manifest(manifest: Manifest, sha256: str) -> dict[str, Any]:
    told = {"run": manifest.run, "evidence_sha256": manifest.evidence_sha256}
    return {"name": MANIFEST, "digest": {"sha256": sha256}, "annotations": told}


def _images(run: RunRecord, *, whole: bool) -> list[dict[str, Any]]:
    """Images by digest, each once, named by the reference that pods use."""
    found: dict[str, str] = {}
    for phase in run.phases:
        algorithm, _, digest = phase.release.digest.partition(":")
        wanted = _left_in_service(phase) if whole else not phase.release.fault
        if algorithm == "sha256" and digest and wanted:
            found.setdefault(digest, phase.release.reference or phase.release.version)
    return [{"name": name, "digest": {"sha256": digest}} for digest, name in found.items()]


def _left_in_service(phase: PhaseRecord) -> bool:
    if phase.outcome != "passed" or phase.release.fault:
        return False
    return phase.runbook == "deploy" or phase.verdict == "promoted"


def _configuration(run: RunRecord, manifest: Manifest) -> list[dict[str, Any]]:
    """What the run was asked for, and from which commit."""
    digests = {one.path: one.sha256 for one in manifest.files}
    files = [
        {"name": name, "digest": {"sha256": digests[name]}} for name in _CONFIGURATION if name in digests
    ]
    sha = run.commit.sha
    commit = [{"name": "source", "digest": {"gitCommit": sha}}] if sha and sha != "unknown" else []
    return [*files, *commit]
