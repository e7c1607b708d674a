"""A bundle in memory in which everything went well. Nothing here was measured."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from functools import cache
from typing import Any

from tests.coverage.worlds import API, COMMIT, EMULATOR, World, digest_of, notebook, pod, rollout, sha256
from tests.report.runs import BEGAN, DRILL, GOOD, HASHES, CanaryPlot, analysis_run, run_json, traffic

from rollbook.bundle.envelope import Envelope
from rollbook.domain.attempts import object_name
from rollbook.domain.secret import BROUGHT
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.journal import Entry, Kind


@cache
def _requests(plot: str) -> tuple[RequestRecord, ...]:
    return tuple(traffic({"canary": GOOD, "drill": DRILL}[plot]))


def _canary(world: World, plot: CanaryPlot) -> dict[str, Any]:
    begins = (plot.begins - BEGAN).total_seconds()
    end = plot.weights[-1][0]

    def watched(weight: int, second: float, *, ended: bool = False) -> None:
        event = {"type": "MODIFIED", "object": rollout(plot, weight, ended=ended)}
        world.answered("kube-apiserver", API, event, phase=plot.name, at=begins + second, watch="true")

    path = "PATCH /apis/argoproj.io/v1alpha1/namespaces/hello/rollouts/hello"
    body = rollout(plot, 0)
    world.answered(
        "kube-apiserver", path, body, phase=plot.name, at=begins + 1,
        fieldManager="rollbook", force="true", body=body,
    )  # fmt: skip
    brought = {"before": f"of-{plot.stable}", "version": f"of-{plot.canary}", "seconds": 0.8}
    world.tell(plot.name, Kind.STEP, BROUGHT, state="done", **brought)
    watched(0, 2.0)
    for at, weight in plot.weights:
        watched(weight, at, ended=at == end)
    world.keep(f"objects/{plot.name}/Rollout-hello.json", rollout(plot, 0, ended=True))
    run = analysis_run(plot)
    world.keep(f"objects/{plot.name}/AnalysisRun-{run['metadata']['name']}.json", run)
    world.keep(f"objects/{plot.name}/Pod-{plot.name}-1.json", pod(plot.canary, f"{plot.name}-1"))
    point = {"labels": {}, "points": [[plot.begins.timestamp(), 40.0]]}
    world.keep(f"metrics/{plot.name}/requests.canary.json", {"signal": "requests", "series": [point]})
    pushed = {"image": {"imageId": {"imageDigest": digest_of(plot.canary), "imageTag": plot.canary}}}
    world.answered("aws:ecr", "ecr:PutImage", pushed, phase=plot.name, at=begins, **EMULATOR)
    world.traffic[plot.name] = list(_requests(plot.name))
    _logged(world, plot)
    return {
        "name": plot.name,
        "phase": "canary",
        "runbook": "canary",
        "started": plot.begins.isoformat(),
        "ended": (plot.begins + timedelta(seconds=plot.length_s)).isoformat(),
        "parameters": {"rps": plot.rps},
        "expected": plot.verdict,
        "verdict": plot.verdict,
        "outcome": "passed",
        "notebook": f"notebooks/{plot.name}.ipynb",
        "release": {"version": plot.canary, "digest": digest_of(plot.canary), "fault": plot.fault},
        "canary": {"version": plot.canary, "hash": HASHES[plot.canary]},
        "users": _users(plot),
    }


def _logged(world: World, plot: CanaryPlot) -> None:
    """Each failed request is a line in the log of its pod."""
    hit = [record for record in _requests(plot.name) if record.failed]
    lines = [
        {"request_id": one.request_id, "pod": one.pod, "line": f"{one.request_id} failed"} for one in hit
    ]
    for pod_name in {one.pod for one in hit}:
        text = "".join(f"{row['line']}\n" for row in lines if row["pod"] == pod_name)
        world.files[f"logs/{plot.name}/{pod_name}.log"] = text.encode()
    world.keep(f"logs/{plot.name}/requests.json", {"lines": lines})


def _users(plot: CanaryPlot) -> dict[str, Any]:
    """What the run counted, of all and around its first weight."""
    records, at = _requests(plot.name), plot.begins.timestamp() + plot.weights[0][0]

    def counted(found: list[RequestRecord]) -> dict[str, int]:
        bad = sum(record.failed for record in found)
        return {
            name: number for name, number in (("answered", len(found) - bad), ("app error", bad)) if number
        }

    def window(start: float, end: float) -> dict[str, Any]:
        inside = [record for record in records if start <= record.scheduled_s < end]
        versions = {record.version for record in inside}
        return {
            "start_s": start,
            "end_s": end,
            "sent": len(inside),
            "by_version": {
                version: counted([record for record in inside if record.version == version])
                for version in versions
            },
        }

    return {
        "sent": len(records),
        "by_fate": counted(list(records)),
        "by_version": {
            version: {"sent": number} for version, number in Counter(one.version for one in records).items()
        },
        "around": [{"change": "weight", "before": window(at - 5, at), "after": window(at, at + 5)}],
    }


def _plain(name: str, begins: float) -> dict[str, Any]:
    return {
        "name": name,
        "phase": name,
        "runbook": name,
        "started": (BEGAN + timedelta(seconds=begins)).isoformat(),
        "ended": (BEGAN + timedelta(seconds=begins + 5)).isoformat(),
        "outcome": "passed",
    }


RULES = """groups:
  - name: hello
    rules:
      - record: hello:rate
        expr: rate(x[1m])
      - alert: HelloSlow
        expr: y > 1
"""
WORKFLOW = (
    "on: [push]\njobs:\n  release:\n    steps:\n      - run: make run\n      - uses: actions/checkout@abc\n"
)
DECISION = "\n\n".join(
    ["# 0001: Things", "Status: accepted"]
    + [
        f"## {name}\n\nSome words that say something here."
        for name in ("Context", "Decision", "Alternatives")
    ]
    + ["## Consequences\n\nSome words that say something here.\n"]
)
README = (
    "# Title\n\n- [One](#one)\n- [Two](#two)\n- [Three](#three)\n\n## One\n\nFast.\n\n## Two\n\n## Three\n"
)
CHECKLIST = """source: {title: A plan, lines: 4, silent: [L1]}
requirements:
  - {id: R-1, text: a, kind: explicit, layer: must-have, source: L2, implications: [It needs this and that.],
     checks: [journal.sealed]}
  - {id: R-2, text: b, kind: bonus, layer: flair, source: L3-L4, implications: [It needs that and this.],
     decision: {state: skipped, why: no}}
contradictions:
  - {id: C-1, between: [R-1, R-2], tension: They pull in two directions., stance: We hold on to the first.}
"""
BOARD = json.dumps({"uid": "hello", "panels": [{"id": 1, "targets": [{"expr": "up"}]}, {"id": 2}]})
CERTIFICATE = {
    "protocol": "TLSv1.3",
    "verified": True,
    "subject_alt_names": ["*.rollbook.test"],
    "issuer": "Test CA",
    "not_before": "2026-01-01T00:00:00Z",
    "not_after": "2027-01-01T00:00:00Z",
}


def ready(kind: str, **more: Any) -> dict[str, Any]:
    """An object of some operator that is Ready."""
    return {
        "kind": kind,
        "metadata": {"name": "hello"},
        "spec": more,
        "status": {"conditions": [{"type": "Ready", "status": "True", "message": "it is well"}]},
    }


def _cluster(world: World) -> None:
    build = {
        "major": "1",
        "minor": "36",
        "gitVersion": "v1.36.3",
        "goVersion": "go1.27",
        "platform": "linux/amd64",
    }
    world.answered("kube-apiserver", "GET /version", build, phase="provision", at=2)
    lease = {
        "kind": "Lease",
        "metadata": {"name": "l"},
        "spec": {"holderIdentity": "hello-20260305-093000@here/7"},
    }
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    world.answered("kube-apiserver", f"POST {leases}", lease, status="201", phase="run", at=3)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = {
        "kind": "Namespace",
        "metadata": {"name": "hello", "labels": labels, "uid": "u", "resourceVersion": "1"},
    }
    world.answered(
        "kube-apiserver", "PATCH /api/v1/namespaces/hello", space, phase="deploy", at=14,
        fieldManager="rollbook", force="true", body=space,
    )  # fmt: skip
    listed = {"kind": "PodList", "items": [pod("1.0.0", "first"), pod("1.1.0", "second")], "metadata": {}}
    world.answered("kube-apiserver", "GET /api/v1/namespaces/hello/pods", listed, at=148)
    world.answered("kube-apiserver", f"{API}/hello", rollout(GOOD, 0, ended=True), at=149)
    for kind, spec in (("ExternalSecret", {}), ("Certificate", {"issuerRef": {"name": "letsencrypt"}})):
        world.answered("kube-apiserver", f"GET /{kind}", ready(kind, **spec))
    helm = {"owner": "helm", "name": "argo-rollouts", "status": "deployed", "version": "2"}
    secret = {"kind": "Secret", "metadata": {"name": "sh.helm", "labels": helm}}
    world.answered("kube-apiserver", "GET /secrets", secret)
    experiment = ready("Experiment")
    experiment["status"] = {"phase": "Successful", "analysisRuns": [{"phase": "Successful"}]}
    world.answered("kube-apiserver", "GET /experiments", experiment)
    _refusals(world)
    gone = {"kind": "Status", "code": 404}
    world.answered(
        "kube-apiserver", "GET /api/v1/namespaces/hello", gone, status="404", phase="teardown", at=156
    )


def attested(world: World, version: str, *, commit: str = COMMIT, about: str = "", packages: int = 1) -> None:
    """Inventory and provenance of a version's image; `about` is another digest (hex) that they name."""
    digest = digest_of(version).removeprefix("sha256:")
    component = {"hashes": [{"alg": "SHA-256", "content": about or digest}]}
    inventory = {
        "bomFormat": "CycloneDX",
        "metadata": {"component": component},
        "components": [{"type": "library", "name": "p"}] * packages,
    }
    world.keep(f"images/{digest}/sbom.cdx.json", inventory)
    named = sha256(world.files[f"images/{digest}/sbom.cdx.json"])
    source = {"name": "source", "digest": {"gitCommit": commit}, "annotations": {"changed": False}}
    statement = {
        "subject": [{"name": "hello", "digest": {"sha256": about or digest}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {"resolvedDependencies": [source]},
            "runDetails": {"byproducts": [{"name": "sbom.cdx.json", "digest": {"sha256": named}}]},
        },
    }
    envelope = Envelope(json.dumps(statement).encode())
    world.files[f"images/{digest}/provenance.dsse.json"] = envelope.to_bytes()


def _refusals(world: World) -> None:
    """What must not be was tried: the released pod, the same without limits, and Secrets for two users."""
    for call in ("POST /api/v1/namespaces/hello/pods", f"{API.replace('GET', 'POST')}"):
        for attempt, status in (("as released", "201"), ("no limits", "422")):
            body = {"kind": "Pod", "metadata": {"name": object_name(attempt)}}
            answer = body if status == "201" else {"kind": "Status", "message": "no"}
            world.answered("kube-apiserver", call, answer, status=status, dryRun="All", body=body)
    no = {"kind": "Status", "message": "it cannot list secrets"}
    for user in ("system:serviceaccount:hello:hello", "argo-rollouts"):
        call = "GET /api/v1/namespaces/kube-system/secrets"
        world.answered("kube-apiserver", call, no, status="403", **{"as": user})


def _others(world: World) -> None:
    rules = [
        {"type": "alerting", "name": "HelloSlow", "health": "ok"},
        {"type": "recording", "name": "hello:rate", "health": "ok"},
    ]
    world.answered("prometheus", "rules", {"status": "success", "data": {"groups": [{"rules": rules}]}})
    firing = {"labels": {"alertname": "HelloSlow"}, "state": "firing"}
    world.answered("prometheus", "alerts", {"data": {"alerts": [firing]}})
    world.answered(
        "prometheus", "query", {"data": {"result": [{"value": [1, "1"]}]}}, dashboard="hello", panel=1
    )
    world.answered("alertmanager", "status", {"versionInfo": {"version": "0.31.1"}})
    world.answered("alertmanager", "-/ready", "OK")
    world.answered("alertmanager", "alerts", [firing])
    world.answered(
        "aws:sts", "sts:GetCallerIdentity", {"Account": "0" * 12}, phase="provision", at=4, **EMULATOR
    )
    arn = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:hello/config-1"
    world.answered(
        "aws:secretsmanager",
        "secretsmanager:CreateSecret",
        {"ARN": arn},
        phase="provision",
        at=4,
        Name="hello/config",
        **EMULATOR,
    )
    role = {"AssumedRoleUser": {"Arn": "arn:aws:sts::0:assumed-role/ci"}}
    world.answered("aws:sts", "sts:AssumeRoleWithWebIdentity", role, phase="provision", at=4)
    world.answered(
        "cost", "estimate", {"currency": "USD", "total": 1.5, "items": [{"amount": 1}, {"amount": 0.5}]}
    )
    ended = {"workflow_runs": [{"name": "deploy", "conclusion": "success", "head_sha": COMMIT}]}
    world.answered("github", "GET /repos/o/n/actions/runs", ended)
    plan = {"resource_changes": [{"address": "aws_vpc.main", "change": {"actions": ["no-op"]}}]}
    world.answered("terraform", "apply", "", status="0", at=148)
    resources = [{"mode": "managed", "type": "aws_vpc"}]
    state = {"values": {"root_module": {"child_modules": [{"resources": resources}]}}}
    world.answered("terraform", "show", state, status="0", at=149)
    world.answered("terraform", "plan", plan, status="0", at=150)
    world.answered("tls", "handshake", CERTIFICATE, status="ok", host="hello.rollbook.test")
    world.answered("edge", "GET /", {"version": "1.0.0"}, phase="deploy", at=20)


def _stated(world: World, phase: dict[str, Any]) -> None:
    """The drill states what must come of it, and so it came."""
    users = world.traffic["drill"]
    measured = {"end": "rolled-back", "sent": len(users), "failed": sum(one.failed for one in users)}
    phase["parameters"] = {**phase["parameters"], "drill": "errors"}
    phase["drill"] = {"name": "errors", "passed": True, "measured": measured}
    for row in ("end", "failed requests"):
        world.tell("drill", Kind.GATE, f"drill: {row}", passed=True, sentence=f"{row}: as it must be")


def good() -> World:
    """A world in which every check holds."""
    world = World({})
    deploy = {
        **_plain("deploy", 14),
        "release": {"version": "1.0.0", "digest": digest_of("1.0.0")},
        "notebook": "notebooks/deploy.ipynb",
    }
    phases = [
        _plain("provision", 0),
        deploy,
        _canary(world, GOOD),
        _canary(world, DRILL),
        _plain("validate", 148),
        _plain("teardown", 153),
    ]
    world.run = run_json(phases, commit={"sha": COMMIT, "dirty": False})
    _stated(world, phases[3])
    for name in ("deploy", "canary", "drill"):
        world.keep(f"notebooks/{name}.ipynb", notebook())
    _cluster(world)
    _others(world)
    pushed = {"image": {"imageId": {"imageDigest": digest_of("1.0.0"), "imageTag": "1.0.0"}}}
    world.answered("aws:ecr", "ecr:PutImage", pushed, phase="deploy", at=15, **EMULATOR)
    world.tell("canary", Kind.DECISION, "promoted", "argo-rollouts")
    world.entries[-1] = Entry(
        1, GOOD.begins + timedelta(seconds=GOOD.weights[-1][0]), "canary", Kind.DECISION, "promoted",
        "argo-rollouts", {},
    )  # fmt: skip
    world.tell(
        "validate", Kind.GATE, "rules", passed=True, sentence="Rules load.", evidence=[world.answers[-1].id]
    )
    world.tell("validate", Kind.STEP, "wait for alert", alert="HelloSlow")
    world.answered(
        "project",
        "git ls-files",
        {"files": {}, "commit": COMMIT, "dirty": []},
        status="ok",
        phase="run",
        at=0,
    )
    for path, text in {
        "README.md": README,
        "docs/adr/0001-things.md": DECISION,
        "docs/requirements.yaml": CHECKLIST,
        "monitoring/rules/hello.yaml": RULES,
        "monitoring/dashboards/hello.json": BOARD,
        ".github/workflows/ci.yml": WORKFLOW,
    }.items():
        world.project(path, text)
    for version in ("1.0.0", GOOD.canary, DRILL.canary):
        attested(world, version)
    world.files["requirements.yaml"] = CHECKLIST.encode()
    world.keep("pins.json", {"v": 1, "requirements": {"R-1": "", "R-2": ""}, "checks": {}, "artefacts": {}})
    return world
