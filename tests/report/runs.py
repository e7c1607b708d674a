"""Test data: run folders made by code, as the phases would have left them. Nothing here was measured."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
from rollbook.evidence.requests import LogWriter

BEGAN = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
HASHES = {"1.0.0": "6c9f7d5b8", "1.1.0": "7d4b9c6f5", "1.2.0-errors": "58fb7cd994"}


@dataclass
class HandClock:
    """A clock that a test turns by hand."""

    time: datetime = BEGAN

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass(frozen=True)
class CanaryPlot:
    """How a canary phase goes: weights by second, and what its canary does to users."""

    name: str
    stable: str
    canary: str
    begins: datetime
    length_s: float
    weights: Sequence[tuple[float, int]]
    verdict: str
    fault: str = ""
    error_share: float = 0.0
    measures: Sequence[tuple[float, str, str, str]] = ()
    """Second, metric, phase, value."""
    rps: float = 50.0
    proxy_errors: Sequence[float] = field(default=())
    """Seconds at which the edge itself fails one request."""


GOOD = CanaryPlot(
    name="canary",
    stable="1.0.0",
    canary="1.1.0",
    begins=BEGAN + timedelta(seconds=46),
    length_s=58.0,
    weights=((4.0, 20), (24.2, 50), (44.4, 100), (50.0, 0)),
    verdict="promoted",
    measures=tuple(
        (second, metric, "Successful", value)
        for second in (14.0, 19.0, 24.0, 29.0, 34.0, 39.0, 44.0)
        for metric, value in (("success-rate", "[1]"), ("p95-latency", "[0.0234]"))
    ),
)
DRILL = CanaryPlot(
    name="drill",
    stable="1.1.0",
    canary="1.2.0-errors",
    begins=BEGAN + timedelta(seconds=112),
    length_s=34.0,
    weights=((4.1, 20), (19.3, 0)),
    verdict="rolled-back",
    fault="errors",
    error_share=0.2,
    measures=(
        (14.0, "p95-latency", "Successful", "[0.0251]"),
        (14.0, "success-rate", "Failed", "[0.8113]"),
        (19.0, "p95-latency", "Successful", "[0.0248]"),
        (19.0, "success-rate", "Failed", "[0.7931]"),
    ),
)


def traffic(plot: CanaryPlot, seed: int = 7) -> list[RequestRecord]:
    """Users' requests of a phase: the split follows the weights half a second late."""
    dice = random.Random(seed)  # noqa: S311 - test data wants the same figures each time
    start = plot.begins.timestamp()
    records = []
    promoted = plot.verdict == "promoted"
    final = plot.weights[-1][0] if promoted else float("inf")
    for number in range(int(plot.length_s * plot.rps)):
        second = number / plot.rps
        weight = next((w for at, w in reversed(plot.weights) if second >= at + 0.5), 0)
        on_canary = (second >= final) if second >= final else dice.random() * 100 < weight
        version = plot.canary if on_canary else plot.stable
        failed = on_canary and dice.random() < plot.error_share
        latency = dice.lognormvariate(-4.4, 0.35) + (0.004 if on_canary else 0.0)
        records.append(
            RequestRecord(
                scheduled_s=start + second,
                sent_s=start + second + dice.random() * 0.0008,
                latency_s=latency,
                status=503 if failed else 200,
                cause=Cause.APP_ERROR if failed else Cause.OK,
                version=version,
                pod=f"hello-{HASHES[version]}-{dice.choice('kxzt')}{dice.choice('2468')}q{dice.choice('vw')}m",
            )
        )
    records.extend(
        RequestRecord(start + at, start + at, 0.002, 502, Cause.PROXY_ERROR, "", "")
        for at in plot.proxy_errors
    )
    ordered = sorted(records, key=lambda record: record.scheduled_s)
    return [replace(record, request_id=f"{plot.name}-{number}") for number, record in enumerate(ordered)]


def write_traffic(folder: RunFolder, phase: str, records: Sequence[RequestRecord]) -> None:
    """The traffic log of a phase."""
    with folder.traffic_log(phase).open("w", encoding="utf-8", newline="") as file:
        log = LogWriter(file)
        for record in records:
            log.write(record)


def analysis_run(plot: CanaryPlot) -> dict[str, Any]:
    """The AnalysisRun of a phase as Kubernetes would give it."""
    conditions = {
        "success-rate": ("len(result) > 0 && !isNaN(result[0]) && result[0] >= 0.99", "result[0] < 0.99"),
        "p95-latency": ("len(result) > 0 && !isNaN(result[0]) && result[0] <= 0.3", "result[0] > 0.3"),
    }
    failed = any(phase == "Failed" for _, _, phase, _ in plot.measures)

    def stamp(second: float) -> str:
        return f"{plot.begins + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}"

    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": f"hello-{HASHES[plot.canary]}-2",
            "namespace": "hello",
            "annotations": {"rollout.argoproj.io/revision": "2"},
        },
        "spec": {
            "args": [{"name": "hash", "value": HASHES[plot.canary]}],
            "metrics": [
                {
                    "name": name,
                    "successCondition": good,
                    "failureCondition": bad,
                    "failureLimit": 1,
                    "provider": {"prometheus": {"query": 'sum(rate(x{hash="{{args.hash}}"}[10s]))'}},
                }
                for name, (good, bad) in conditions.items()
            ],
        },
        "status": {
            "phase": "Failed" if failed else "Successful",
            "message": 'Metric "success-rate" assessed Failed due to failed (2) > failureLimit (1)'
            if failed
            else "",
            "startedAt": stamp(5),
            "completedAt": stamp(plot.measures[-1][0]) if plot.measures else None,
            "metricResults": [
                {
                    "name": name,
                    "phase": "Failed"
                    if any(m == name and p == "Failed" for _, m, p, _ in plot.measures)
                    else "Successful",
                    "successful": sum(m == name and p == "Successful" for _, m, p, _ in plot.measures),
                    "failed": sum(m == name and p == "Failed" for _, m, p, _ in plot.measures),
                    "measurements": [
                        {"value": value, "phase": phase, "startedAt": stamp(at), "finishedAt": stamp(at)}
                        for at, metric, phase, value in plot.measures
                        if metric == name
                    ],
                }
                for name in conditions
            ],
        },
    }


def write_metrics(folder: RunFolder, plot: CanaryPlot) -> None:
    """What Prometheus answered for the four signals of both sides."""
    dice = random.Random(3)  # noqa: S311 - test data wants the same figures each time
    start = plot.begins.timestamp()
    until = plot.weights[-1][0]
    for side in ("stable", "canary"):
        for signal, unit, base in (
            ("requests", "requests/s", 40.0 if side == "stable" else 10.0),
            ("errors", "share", plot.error_share if side == "canary" else 0.0),
            ("p95", "s", 0.024),
            ("memory", "bytes", 48.0 * 2**20),
        ):
            seconds = [s for s in range(0, int(plot.length_s), 2) if side == "stable" or 8 <= s <= until]
            folder.write_metric(
                plot.name,
                f"{signal}.{side}",
                {
                    "signal": signal,
                    "side": side,
                    "query": f'{signal}{{hash="{HASHES[plot.canary if side == "canary" else plot.stable]}"}}',
                    "unit": unit,
                    "start": plot.begins.isoformat(),
                    "end": (plot.begins + timedelta(seconds=plot.length_s)).isoformat(),
                    "step_s": 2,
                    "series": [
                        {
                            "labels": {},
                            "points": [[start + s, base * (0.95 + dice.random() / 10)] for s in seconds],
                        }
                    ],
                },
            )


def write_canary(folder: RunFolder, plot: CanaryPlot, *, requests: bool = True) -> dict[str, Any]:
    """Everything that a canary phase leaves; its entry of `run.json`."""
    clock = HandClock(plot.begins)
    journal = folder.journal(plot.name, clock)
    steps = (("check the baseline", 1.2), ("push the image", 0.6), ("apply the manifests", 0.9))
    for name, seconds in steps:
        journal.append(Kind.STEP, name, {"state": "started"})
        journal.append(Kind.STEP, name, {"state": "done", "seconds": seconds})
    previous = 0
    for at, weight in plot.weights:
        clock.time = plot.begins + timedelta(seconds=at)
        if plot.verdict == "rolled-back" and weight == 0:
            message = (
                "RolloutAborted: metric success-rate assessed Failed due to failed (2) > failureLimit (1)"
            )
            journal.append(Kind.DECISION, "aborted", {"message": message}, source="argo-rollouts")
            clock.time += timedelta(seconds=0.1)
        if plot.verdict == "promoted" and weight == 0:
            journal.append(Kind.DECISION, "promoted", {}, source="argo-rollouts")
        else:
            journal.append(
                Kind.DECISION, "weight", {"weight": weight, "previous": previous}, source="argo-rollouts"
            )
            if weight:
                journal.append(Kind.WAIT, f"pause at weight {weight}", {"declared_s": 20})
        previous = weight
    if requests:
        write_traffic(folder, plot.name, traffic(plot))
    folder.write_object(plot.name, "AnalysisRun", f"hello-{HASHES[plot.canary]}-2", analysis_run(plot))
    write_metrics(folder, plot)
    digest = "sha256:" + (HASHES[plot.canary] * 8)[:64].replace("x", "0")
    ended = plot.begins + timedelta(seconds=plot.length_s)
    return {
        "name": plot.name,
        "phase": "canary",
        "runbook": "canary",
        "started": plot.begins.isoformat(),
        "ended": ended.isoformat(),
        "seconds": plot.length_s,
        "parameters": {"version": plot.canary, "rps": plot.rps, "fault": plot.fault or None},
        "expected": plot.verdict,
        "verdict": plot.verdict,
        "outcome": "passed",
        "exit_code": 0,
        "sentence": f"{plot.canary} was {plot.verdict}.",
        "notebook": f"notebooks/{plot.name}.ipynb",
        "notebook_html": f"notebooks/{plot.name}.html",
        "release": {
            "version": plot.canary,
            "digest": digest,
            "reference": f"000000000000.dkr.ecr.eu-central-1.amazonaws.com/hello@{digest}",
            "fault": plot.fault or None,
        },
        "stable": {"version": plot.stable, "hash": HASHES[plot.stable]},
        "canary": {"version": plot.canary, "hash": HASHES[plot.canary]},
    }


def plain_phase(name: str, begins: float, seconds: float, sentence: str, **more: Any) -> dict[str, Any]:
    """A phase without users."""
    return {
        "name": name,
        "phase": name,
        "runbook": name,
        "started": (BEGAN + timedelta(seconds=begins)).isoformat(),
        "ended": (BEGAN + timedelta(seconds=begins + seconds)).isoformat(),
        "seconds": seconds,
        "parameters": {},
        "outcome": "passed",
        "exit_code": 0,
        "sentence": sentence,
        "notebook": f"notebooks/{name}.ipynb",
        "notebook_html": f"notebooks/{name}.html",
        **more,
    }


def run_json(phases: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """`run.json` around its phases."""
    return {
        "schema": 1,
        "id": "hello-20260305-093000",
        "started": BEGAN.isoformat(),
        "ended": (BEGAN + timedelta(seconds=158)).isoformat(),
        "target": "sandbox",
        "overlay": "sandbox",
        "service": {
            "name": "hello",
            "namespace": "hello",
            "rollout": "hello",
            "slo": {"availability": 0.99, "p95_s": 0.3},
            "host": "hello.rollbook.test",
        },
        "command": ["rollbook", "run"],
        "commit": {"sha": "9f1c2d3e4b5a69788796a5b4c3d2e1f001122334", "dirty": False},
        "rollbook": "0.1.0",
        "python": "3.11.9",
        "platform": "Linux-6.1-x86_64",
        "components": [
            {
                "name": "kube-apiserver",
                "version": "v1.36.3",
                "healthy": True,
                "detail": "",
                "emulated": False,
            },
            {"name": "Argo Rollouts", "version": "v1.10.2", "healthy": True, "detail": "", "emulated": False},
            {"name": "Traefik", "version": "3.7.0", "healthy": True, "detail": "", "emulated": False},
            {"name": "Prometheus", "version": "3.12.0", "healthy": True, "detail": "", "emulated": False},
            {
                "name": "node agent",
                "version": "0.1.0",
                "healthy": True,
                "detail": "the kubelet's part",
                "emulated": True,
            },
            {"name": "ECR", "version": "MiniStack", "healthy": True, "detail": "", "emulated": True},
            {
                "name": "Secrets Manager",
                "version": "MiniStack",
                "healthy": True,
                "detail": "",
                "emulated": True,
            },
        ],
        "disclosures": [
            "AWS is emulated by MiniStack on this machine.",
            "Pods are processes of this machine, run by rollbook's node agent in place of a kubelet.",
            "The API server is patched in one line, so that pods may have loopback addresses.",
        ],
        "waits": {"declared_s": 95.0},
        "timing": {"total_s": 158.0, "declared_s": 95.0, "own_s": 63.0, "own_share": 0.3987},
        "phases": list(phases),
        "outcome": {"exit_code": 0, "sentence": "All phases ended as expected."},
        **more,
    }


def _gates(folder: RunFolder, *, refused: bool = False) -> None:
    journal = folder.journal("validate", HandClock(BEGAN + timedelta(seconds=148)))
    journal.append(
        Kind.GATE,
        "running image",
        {
            "passed": True,
            "expected": "sha256:7d4b9c6f57d4",
            "got": "sha256:7d4b9c6f57d4",
            "sentence": "All 3 pods run the digest that was released.",
        },
    )
    journal.append(
        Kind.GATE,
        "alerts",
        {"passed": None, "expected": "none firing", "got": None, "sentence": "Alertmanager was not asked."},
    )
    journal.append(
        Kind.GATE,
        "traffic split",
        {
            "passed": not refused,
            "expected": "20 % within the 99 % interval",
            "got": "31.4 %" if refused else "19.6 % (16.2 % – 23.5 %)",
            "sentence": "Users saw another split than Argo set."
            if refused
            else "Users saw the split that Argo set.",
        },
    )


def _notebooks(folder: RunFolder, names: Sequence[str]) -> None:
    for name in names:
        path = folder.notebook(name)
        path.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        path.with_suffix(".html").write_text("<!doctype html><title>executed</title>")


def full_run(out: Path) -> RunFolder:
    """A good canary that was promoted, and a drill that was rolled back."""
    folder = RunFolder.create(out, "hello-20260305-093000")
    first = folder.journal("provision", HandClock(BEGAN))
    first.append(Kind.STEP, "bring the sandbox up", {"state": "started"})
    first.append(Kind.STEP, "bring the sandbox up", {"state": "done", "seconds": 8.4})
    second = folder.journal("deploy", HandClock(BEGAN + timedelta(seconds=14)))
    second.append(Kind.STEP, "build the image", {"state": "started"})
    second.append(Kind.STEP, "build the image", {"state": "done", "seconds": 2.1})
    phases = [
        plain_phase("provision", 0, 13.2, "12 components are healthy."),
        plain_phase("deploy", 14, 31.0, "hello 1.0.0 serves users."),
        write_canary(folder, GOOD),
        write_canary(folder, DRILL),
        plain_phase("validate", 148, 9.6, "2 of 2 gates passed."),
    ]
    _gates(folder)
    _notebooks(folder, [phase["name"] for phase in phases])
    folder.write_run(run_json(phases))
    folder.journal("run", HandClock(BEGAN + timedelta(seconds=158))).seal()
    return folder


def cut_off_run(out: Path) -> RunFolder:
    """A run whose machine died in the canary: no end, no verdict, a torn journal."""
    folder = RunFolder.create(out, "hello-cut-off")
    canary = write_canary(folder, GOOD)
    for key in ("ended", "seconds", "verdict", "outcome", "exit_code", "sentence"):
        canary[key] = None
    with (folder.path / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"v": 1, "seq": 99, "time": "2026-0')
    run = run_json([plain_phase("provision", 0, 13.2, "12 components are healthy."), canary], ended=None)
    for key in ("outcome", "timing", "components", "commit", "waits"):
        del run[key]
    folder.write_run(run)
    return folder


def bare_run(out: Path) -> RunFolder:
    """The least that can be called a run."""
    folder = RunFolder.create(out, "hello-bare")
    folder.write_run({})
    return folder


def refused_run(out: Path) -> RunFolder:
    """A gate refused the release."""
    folder = RunFolder.create(out, "hello-refused")
    canary = write_canary(folder, GOOD)
    validate = plain_phase(
        "validate", 148, 9.6, "1 of 2 gates refused: users saw another split.", outcome="refused", exit_code=3
    )
    _gates(folder, refused=True)
    folder.write_run(
        run_json(
            [canary, validate], outcome={"exit_code": 3, "sentence": "validate: users saw another split."}
        )
    )
    return folder


def cancelled_run(out: Path) -> RunFolder:
    """The user stopped the canary; Argo put the traffic back."""
    folder = RunFolder.create(out, "hello-cancelled")
    plot = CanaryPlot(
        name="canary",
        stable="1.0.0",
        canary="1.1.0",
        begins=GOOD.begins,
        length_s=16.0,
        weights=((4.0, 20), (11.0, 0)),
        verdict="rolled-back",
        proxy_errors=(11.2, 11.25),
    )
    canary = {
        **write_canary(folder, plot),
        "expected": "promoted",
        "outcome": "cancelled",
        "exit_code": 5,
        "sentence": "Stopped by Ctrl-C; traffic is on stable.",
    }
    skipped = {"name": "drill", "phase": "canary", "runbook": "canary", "outcome": "skipped"}
    folder.write_run(
        run_json([canary, skipped], outcome={"exit_code": 5, "sentence": "Stopped by Ctrl-C in canary."})
    )
    return folder


def empty_traffic_run(out: Path) -> RunFolder:
    """A canary whose users never sent anything: the log has its heading only."""
    folder = RunFolder.create(out, "hello-empty")
    canary = write_canary(folder, GOOD, requests=False)
    write_traffic(folder, "canary", [])
    folder.write_run(run_json([canary]))
    return folder
