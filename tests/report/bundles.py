"""Test data: a full run with what is beside the evidence of phases: records, logs, requirements, coverage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.report import runs

from rollbook.bundle.manifest import evidence_sha256
from rollbook.coverage import coverage_file
from rollbook.coverage.model import Coverage, Delivery, EvidenceRef, Finding, Result, State
from rollbook.coverage.requirement import Kind as RequirementKind
from rollbook.coverage.requirement import Requirement
from rollbook.evidence.answers import Asked
from rollbook.evidence.folder import RunFolder, to_json
from rollbook.evidence.journal import Kind
from rollbook.evidence.recorder import Recorder

STATES = (
    State.PROVED,
    State.PROVED,
    State.FAILED,
    State.NO_DATA,
    State.STALE,
    State.NOT_EXERCISED,
    State.DEFERRED,
    State.SKIPPED,
)


def keep(
    folder: RunFolder, phase: str, of: str, call: str, parameters: Mapping[str, Any], answer: object
) -> str:
    """Keep one record, as an adapter would; its id."""
    clock = runs.HandClock(runs.BEGAN + timedelta(seconds=149))
    recorder = Recorder(folder, clock, phase, lambda: 3)
    return recorder.record(Asked(of, call, parameters), "200", answer, always=True)


def result(number: int, state: State, evidence: tuple[EvidenceRef, ...] = ()) -> Result:
    """A requirement in a state, with one finding."""
    requirement = Requirement(
        id=f"R-{number // 100}-{number % 100:02d}",
        text=f"Thing {number} is released without a failed request of a user.",
        kind=list(RequirementKind)[number % 3],
        step="5B",
        layer=("must-have", "strategic-core", "process")[number % 3],
        source=f"L{number + 1}",
        implications=("The canary is judged by counts.",),
        via="`rollbook run` and lib/rollbook/phases/canary.py",
    )
    delivery = Delivery.IMPLEMENTED if state is State.PROVED else Delivery.SKIPPED
    finding = Finding(
        "rollout.promoted", {}, state, f"Argo Rollouts promoted release {number} at 100 %.", evidence
    )
    return Result(requirement, state, delivery, f"Sentence about thing {number}.", (finding,))


def write_coverage(folder: RunFolder, coverage: Coverage) -> None:
    """`coverage.json`, over the evidence as it is."""
    content = to_json(coverage_file.to_json(coverage, evidence_sha256(folder.path)))
    (folder.path / coverage_file.NAME).write_bytes(content)


def whole_run(out: Path) -> RunFolder:
    """A full run with records that a gate and a step name, a pod's log, and coverage in every state."""
    folder = runs.full_run(out)
    seal = folder.path / "journal.jsonl"
    seal.write_text("".join(seal.read_text().splitlines(keepends=True)[:-1]))  # to go on before the seal
    query = {"query": "up", "start": 1.0, "end": 2.0, "step": "15"}
    first = keep(folder, "validate", "prometheus", "query_range", query, {"status": "success"})
    second = keep(folder, "validate", "kube-apiserver", "GET /version", {}, {"gitVersion": "v1.36.3"})
    endpoint = {"endpoint_url": "http://127.0.0.1:4566"}
    keep(folder, "provision", "aws:sts", "sts:GetCallerIdentity", endpoint, {"Account": "000000000000"})
    for number in range(60):
        keep(folder, "canary", "kube-apiserver", f"GET /api/v1/pods/{number}", {}, {"number": number})
    clock = runs.HandClock(runs.BEGAN + timedelta(seconds=150))
    journal = folder.journal("validate", clock)
    gate = {"passed": True, "expected": "up", "got": "up", "sentence": "All is up.", "evidence": [first]}
    journal.append(Kind.GATE, "targets up", gate)
    with journal.step("look again") as step:
        step["evidence"] = [second]
    journal.seal()
    folder.write_log("canary", "hello-1", "started\nserving on 127.0.0.1\n")
    ref = EvidenceRef("journal.jsonl", "0" * 64, "decisions")
    record = EvidenceRef(f"evidence/sha256/{first[:2]}/{first}.json", first, "a query")
    results = tuple(result(number, state, (ref, record)) for number, state in enumerate(STATES))
    write_coverage(folder, Coverage(results, folder.run_id, ("A note about all of it.",)))
    return folder


def set_run(folder: RunFolder, **facts: Any) -> None:
    """Change `run.json` past the scrubber, so that any text can be in it."""
    path = folder.path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
