"""Test data: a bundle in memory in which everything went well, to be spoilt. Nothing here was measured."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.report.runs import BEGAN, HASHES, CanaryPlot

from rollbook.bundle.load import Evidence, KeptFile, PhaseEvidence
from rollbook.bundle.run_record import parse_run
from rollbook.coverage.lookup import Bundle
from rollbook.domain.secret import VERSION_ANNOTATION
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.answers import SCHEMA, Answer, Asked, path_of
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.seal import Seal, SealState

COMMIT = "9f1c2d3e4b5a69788796a5b4c3d2e1f001122334"
EMULATOR = {"endpoint_url": "http://127.0.0.1:4566"}
STEPS = [
    {"setWeight": 20},
    {"pause": {"duration": "20s"}},
    {"setWeight": 50},
    {"pause": {"duration": "20s"}},
    {"setWeight": 100},
    {"pause": {"duration": "5s"}},
]
REPOSITORY = "000000000000.dkr.ecr.eu-central-1.amazonaws.com/hello"
API = "GET /apis/argoproj.io/v1alpha1/namespaces/hello/rollouts"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest_of(version: str) -> str:
    return f"sha256:{sha256(version.encode())}"


@dataclass
class World:
    """What a run left, in parts that a test may spoil before it asks for the `bundle`."""

    run: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    traffic: dict[str, list[RequestRecord]] = field(default_factory=dict)
    seal: Seal = Seal.SEALED
    changed: set[str] = field(default_factory=set)

    def answered(
        self,
        of: str,
        call: str,
        answer: Any,
        *,
        status: str = "200",
        phase: str = "validate",
        at: float = 150.0,
        **parameters: Any,
    ) -> None:
        """Add a record; `at` in seconds after the run began."""
        moment = BEGAN + timedelta(seconds=at)
        raw = {
            "v": SCHEMA,
            "phase": phase,
            "cell": 7,
            "at": moment.isoformat(),
            "of": of,
            "call": call,
            "parameters": parameters,
            "status": status,
            "answer": answer,
        }
        content = json.dumps(raw, sort_keys=True).encode()
        name = sha256(content)
        self.files[path_of(name)] = content
        self.answers.append(Answer(name, phase, 7, moment, Asked(of, call, parameters), status, answer))

    def keep(self, path: str, content: object) -> None:
        """Add a file of JSON."""
        self.files[path] = json.dumps(content).encode()

    def tell(self, phase: str, kind: Kind, name: str, source: str = "rollbook", **data: Any) -> None:
        """Add an entry to the journal."""
        number = len(self.entries) + 1
        self.entries.append(Entry(number, BEGAN + timedelta(seconds=140), phase, kind, name, source, data))

    def without(self, of: str, call: str = "", path: str = "") -> None:
        """Take the records of a system away: all, those of a call, or the text of one file of the project."""
        for one in list(self.answers):
            asked = one.asked
            if (
                asked.of.startswith(of)
                and call in {"", asked.call}
                and path in {"", asked.parameters.get("path")}
            ):
                self.answers.remove(one)
                self.files.pop(one.path, None)

    def edit(self, of: str, call: str, **changes: Any) -> None:
        """Change the answers to a call: `status`, or keys of the answer."""
        found = [one for one in self.answers if one.asked.of.startswith(of) and one.asked.call == call]
        assert found
        self.without(of, call)
        for one in found:
            status = changes.get("status", one.status)
            answer = deepcopy(one.answer)
            if isinstance(answer, dict):
                answer.update({key: value for key, value in changes.items() if key != "status"})
            at = (one.at - BEGAN).total_seconds()
            self.answered(
                one.asked.of, call, answer, status=status, phase=one.phase, at=at, **one.asked.parameters
            )

    def phase(self, name: str) -> dict[str, Any]:
        """A phase of run.json."""
        return next(one for one in self.run["phases"] if one["name"] == name)

    def project(self, path: str, text: str) -> None:
        """Put a file into the project, or change it there."""
        listed = next(one for one in self.answers if one.asked.call == "git ls-files")
        answer = {**listed.answer, "files": {**listed.answer["files"], path: sha256(text.encode())}}
        self.without("project", "git ls-files")
        self.without("project", "read", path)
        self.answered("project", "git ls-files", answer, status="ok", phase="run", at=0)
        self.answered(
            "project", "read", {"text": text, "sha256": sha256(text.encode())},
            status="ok", phase="run", at=0, path=path,
        )  # fmt: skip

    def bundle(self) -> Bundle:
        """The bundle as it is now."""
        files = {"run.json": json.dumps(self.run).encode(), "journal.jsonl": b"entries", **self.files}
        for name in self.traffic:
            files.setdefault(f"traffic/{name}.csv", f"requests of {name}".encode())
        kept = tuple(KeptFile(path, len(content), sha256(content)) for path, content in sorted(files.items()))
        run = parse_run(self.run)
        evidence = Evidence(
            run_id=run.id,
            run=run,
            entries=tuple(self.entries),
            seal=SealState(self.seal, f"The journal is {self.seal.value}.", len(self.entries), "0" * 64),
            files=kept,
            phases={name: PhaseEvidence(traffic=tuple(records)) for name, records in self.traffic.items()},
            answers=tuple(sorted(self.answers, key=lambda one: one.at)),
        )

        def read(path: str) -> bytes:
            try:
                return files[path]
            except KeyError as error:
                raise FileNotFoundError(path) from error

        return Bundle(evidence, read, frozenset(self.changed))


def rollout(plot: CanaryPlot, weight: int, *, ended: bool = False) -> dict[str, Any]:
    """The Rollout as Argo shows it at a weight; `ended` when it has decided."""
    promoted = plot.verdict == "promoted"
    status: dict[str, Any] = {
        "phase": "Progressing",
        "observedGeneration": "2",
        "currentStepIndex": 6 if ended and promoted else 1,
        "currentPodHash": HASHES[plot.canary],
        "stableRS": HASHES[plot.stable],
        "canary": {"weights": {"canary": {"weight": weight}}},
    }
    if ended and promoted:
        status |= {"phase": "Healthy", "stableRS": HASHES[plot.canary]}
    if ended and not promoted:
        at = plot.begins + timedelta(seconds=plot.weights[-1][0])
        status |= {"phase": "Degraded", "abort": True, "abortedAt": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        status["message"] = "RolloutAborted: success-rate assessed Failed"
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "hello",
            "namespace": "hello",
            "uid": "u-1",
            "resourceVersion": "9",
            "generation": 2,
        },
        "spec": {
            "strategy": {"canary": {"steps": STEPS}},
            "template": {
                "metadata": {"annotations": {VERSION_ANNOTATION: f"of-{plot.canary}"}},
                "spec": {"containers": [{"name": "hello", "image": image(plot.canary)}]},
            },
        },
        "status": status,
    }


def image(version: str) -> str:
    return f"{REPOSITORY}@{digest_of(version)}"


def pod(version: str, name: str) -> dict[str, Any]:
    """A pod that is well."""
    probe = {"httpGet": {"path": "/healthz", "port": "http"}}
    container = {
        "name": "hello",
        "image": image(version),
        "startupProbe": probe,
        "readinessProbe": probe,
        "livenessProbe": probe,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "hello"},
        "spec": {"securityContext": {"runAsNonRoot": True}, "containers": [container]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "hello", "imageID": image(version)}],
        },
    }


def notebook(*, error: bool = False, given: str = "rps = 50.0") -> dict[str, Any]:
    """An executed notebook."""

    def cell(number: int, source: str, tags: list[str], outputs: list[Any]) -> dict[str, Any]:
        metadata = {"tags": tags, "papermill": {"status": "failed" if outputs else "completed"}}
        return {
            "cell_type": "code",
            "execution_count": number,
            "metadata": metadata,
            "source": source,
            "outputs": outputs,
        }

    failure = [{"output_type": "error", "ename": "ValueError"}] if error else []
    cells = [
        cell(1, 'rps = 1.0  # requests\nversion = ""', ["parameters"], []),
        cell(2, given, ["injected-parameters"], []),
        cell(3, "watch()", [], failure),
    ]
    return {"cells": cells, "metadata": {}}
