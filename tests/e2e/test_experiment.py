"""An A/B test on the sandbox: a large lift is found, each user keeps a variant, and everything is given
back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.conftest import kubectl, rollbook

from rollbook.domain.audience import variant_of
from rollbook.domain.judging import EXPERIMENT_JUDGED
from rollbook.evidence.journal import read_journal
from rollbook.evidence.requests import read_log
from rollbook.sandbox.api import Sandbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
PLACE = ("-n", "hello")


def test_a_large_lift_is_found_and_users_are_given_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """20 % convert on a and 60 % on b: Argo runs both, the judge names b, and nothing of it is left."""
    sets = ("experiment.rate_a=0.2", "experiment.rate_b=0.6", "experiment.require=b", "experiment.rps=40")
    done = rollbook(
        *("run", "--json", "--phase=deploy", "--phase=experiment", "--out", str(tmp_path)),
        *(f"--set={one}" for one in (*sets, "experiment.timeout_s=120")),
    )

    assert (0, "") == (done.code, "" if done.code == 0 else done.err[-3000:])
    records = read_log(done.folder / "traffic" / "experiment.csv")
    assert [] == [one for one in records if one.failed]
    assert {"a", "b"} == {one.variant for one in records}
    assert [] == [one for one in records if one.variant != variant_of(one.user)]
    assert [] == [one for one in records if not one.pod.startswith(f"hello-experiment-{one.variant}-")]
    assert len({one.user for one in records}) < len(records)

    entries = read_journal(done.folder / "journal.jsonl")
    [judged] = [one.data for one in entries if one.name == EXPERIMENT_JUDGED]
    assert "b" == judged["verdict"]
    assert judged["a"]["users"] + judged["b"]["users"] == len({one.user for one in records})

    ended = json.loads((done.folder / "objects/experiment/Experiment-hello-experiment.json").read_text())
    assert ["a", "b"] == [one["name"] for one in ended["spec"]["templates"]]
    assert "Successful" == ended["status"]["phase"]
    runs = [json.loads(path.read_text()) for path in done.folder.glob("objects/experiment/AnalysisRun*.json")]
    assert {"Successful"} == {one["status"]["phase"] for one in runs}
    for kind in ("experiments.argoproj.io", "ingressroutes.traefik.io", "services", "replicasets.apps"):
        names = [one["metadata"]["name"] for one in kubectl(sandbox, "get", kind, *PLACE)["items"]]
        assert [] == [name for name in names if name.startswith("hello-experiment")]
    assert "b converts more" in (done.folder / "report.html").read_text()
