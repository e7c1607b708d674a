"""Test data: folders with the small files of runs, made by code. Nothing here was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

BEGAN = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
STATES = ("proved", "proved", "proved", "not-exercised", "deferred", "stale", "failed", "no-data")


def phase(name: str, runbook: str = "", **more: Any) -> dict[str, Any]:
    """A phase of `run.json` that passed."""
    return {
        "name": name,
        "phase": runbook or name,
        "runbook": runbook or name,
        "started": BEGAN.isoformat(),
        "ended": (BEGAN + timedelta(seconds=10)).isoformat(),
        "seconds": 10.0,
        "parameters": {"target": "sandbox"},
        "outcome": "passed",
        "exit_code": 0,
        "sentence": f"{name} went well.",
        **more,
    }


def canary(name: str = "canary", *, failed: int = 0, sent: int = 2600, **more: Any) -> dict[str, Any]:
    """A canary that was promoted."""
    return phase(
        name,
        "canary",
        expected="promoted",
        verdict="promoted",
        stable={"version": "1.0.0", "hash": "6c9f7d5b8"},
        canary={"version": "1.1.0", "hash": "7d4b9c6f5"},
        release={"version": "1.1.0", "digest": "sha256:" + "ab" * 32, "fault": ""},
        users={"sent": sent, "failed": failed, "by_version": {}},
        time_to_detect_s=None,
        time_to_roll_back_s=None,
        **more,
    )


def drill(*, detect_s: float = 4.6, roll_back_s: float = 0.2) -> dict[str, Any]:
    """A faulty canary that was rolled back, as it had to be."""
    return {
        **canary("drill", failed=10, sent=1073),
        "expected": "rolled-back",
        "verdict": "rolled-back",
        "release": {"version": "1.2.0", "digest": "sha256:" + "cd" * 32, "fault": "errors"},
        "time_to_detect_s": detect_s,
        "time_to_roll_back_s": roll_back_s,
    }


def run_json(
    number: int = 0, phases: Sequence[Mapping[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """`run.json` of a run that passed; each `number` began an hour after the one before."""
    began = BEGAN + timedelta(hours=number)
    return {
        "schema": 1,
        "id": f"hello-{began:%Y%m%d-%H%M%S}",
        "started": began.isoformat(),
        "ended": (began + timedelta(seconds=112)).isoformat(),
        "target": "sandbox",
        "service": {"name": "hello", "namespace": "hello", "rollout": "hello"},
        "commit": {"sha": "9f1c2d3e4b5a69788796a5b4c3d2e1f001122334", "dirty": False},
        "rollbook": "0.1.0",
        "python": "3.11.9",
        "components": [{"name": "argo-rollouts", "version": "v1.10.2", "healthy": True}],
        "timing": {"total_s": 112.0, "declared_s": 68.0, "own_s": 44.0, "own_share": 0.39},
        "phases": [phase("provision"), phase("deploy"), canary(), drill(), phase("validate")]
        if phases is None
        else list(phases),
        "outcome": {"exit_code": 0, "sentence": "1.1.0 was promoted over 1.0.0."},
        **more,
    }


def coverage_json(states: Mapping[str, str], findings: int = 0) -> dict[str, Any]:
    """`coverage.json` with these requirements; each with so many findings, which only make it longer."""
    finding = {
        "check": "rollout.promoted_without_user_errors",
        "arguments": {"phase": "canary"},
        "state": "proved",
        "sentence": "1.1.0 was promoted, and 0 of 2,642 requests of users failed meanwhile.",
        "evidence": [
            {"path": "traffic/canary.csv", "sha256": "ab" * 32, "what": "each request of the users"},
            {"path": "objects/canary/Rollout-hello.json", "sha256": "cd" * 32, "what": "the Rollout"},
        ],
    }
    return {
        "v": 1,
        "requirements": [
            {
                "id": key,
                "text": f"What {key} asks for.",
                "state": state,
                "sentence": f"{key} is {state}.",
                "findings": [finding] * findings,
            }
            for key, state in states.items()
        ],
    }


def write(
    out: Path, run: Mapping[str, Any], coverage: Mapping[str, Any] | None = None, *, report: bool = True
) -> Path:
    """The folder of a run beneath `out`."""
    folder = out / str(run["id"])
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(run, indent=2))
    if coverage is not None:
        (folder / "coverage.json").write_text(json.dumps(coverage, indent=2))
    if report:
        (folder / "report.html").write_text("<!doctype html><title>report</title>")
    return folder


def many(out: Path, number: int, *, requirements: int = 8, findings: int = 0) -> None:
    """So many runs: every seventh was refused by a gate, and each has a coverage."""
    for one in range(number):
        states = {f"R{key}": STATES[(key * 7 + one) % len(STATES)] for key in range(requirements)}
        run = run_json(
            one,
            [
                phase("provision"),
                phase("deploy"),
                canary(failed=one % 3),
                {**drill(detect_s=4 + one % 5, roll_back_s=(one % 11) / 10)},
                phase("validate"),
            ],
        )
        if one % 7 == 6:
            run["outcome"] = {"exit_code": 3, "sentence": "validate: users saw another split than Argo set."}
            run["phases"][-1] |= {"outcome": "refused", "exit_code": 3}
        write(out, run, coverage_json(states, findings))
