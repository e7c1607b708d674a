"""The judge in the loop, on the sandbox: a good canary passes, and Argo aborts a bad one by its verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.conftest import Finished, rollbook

from rollbook.domain.judging import ADVANCES, LOOK, SOURCE
from rollbook.evidence.journal import Entry, Kind, read_journal
from rollbook.evidence.resting import EVIDENCE
from rollbook.sandbox.api import Sandbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def canary(out: Path, *sets: str) -> tuple[Finished, tuple[Entry, ...]]:
    """One canary with these parameters, over a baseline of its own, and its journal."""
    given = [f"--set={one}" for one in sets]
    done = rollbook("run", "--json", "--phase=deploy", "--phase=canary", "--out", str(out), *given)
    entries = read_journal(done.folder / "journal.jsonl")
    return done, tuple(one for one in entries if one.phase == "canary")


def named(entries: tuple[Entry, ...], name: str, source: str) -> list[Entry]:
    """Entries of that name and source."""
    return [one for one in entries if (one.name, one.source) == (name, source)]


def test_the_gate_lets_a_safe_canary_through(release: Finished, sandbox: Sandbox, tmp_path: Path) -> None:
    """Each paused step is ended by the judge, on evidence; afterwards the pauses are timed again."""
    done, entries = canary(
        tmp_path,
        "judge=gate",
        "margin=0.2",
        "latency_margin=0.2",
        "rps=60",
        "gate_budget_s=200",
        "timeout_s=700",
    )

    assert (0, "") == (done.code, "" if done.code == 0 else done.err[-2000:])
    advances = named(entries, ADVANCES, SOURCE)
    assert [1, 3, 5] == [one.data["step"] for one in advances]
    assert all(one.data["verdict"] == "safe" and one.data[EVIDENCE] for one in advances)
    looks = named(entries, LOOK, SOURCE)
    assert {"errors", "p95", "split", "memory"} == set(looks[-1].data["metrics"])
    assert all(one.data[EVIDENCE] for one in looks)
    done_again = [one.data for one in named(entries, "put the timed pauses back", "rollbook")]
    assert ["started", "done"] == [one["state"] for one in done_again]


def test_argo_aborts_on_the_verdict_of_the_judge(release: Finished, sandbox: Sandbox, tmp_path: Path) -> None:
    """Its `web` metric provider asks the sandbox's judge, and the measurement that failed is on record."""
    done, entries = canary(
        tmp_path, "judge=argo", "fault=many-errors", "expect=rolled-back", "rps=60", "timeout_s=700"
    )

    assert (0, "") == (done.code, "" if done.code == 0 else done.err[-2000:])
    assert [] == [one for one in entries if one.kind is Kind.DECISION and one.name == "judge aborts"]
    runs = [json.loads(path.read_text()) for path in done.folder.glob("objects/canary/AnalysisRun*.json")]
    [metric] = [
        metric for run in runs for metric in run["status"]["metricResults"] if metric["name"] == "judge"
    ]
    verdicts = [json.loads(one["value"])["verdict"] for one in metric["measurements"] if one.get("value")]
    assert "harmful" == verdicts[-1]
    assert "Failed" == metric["phase"]
