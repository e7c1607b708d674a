"""A whole release on the real sandbox: a good canary is promoted, a faulty one is rolled back."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from tests.e2e.conftest import Finished, rollbook

from rollbook.evidence.journal import Kind, read_journal

pytestmark = pytest.mark.e2e


def test_a_release_ends_well(release: Finished) -> None:
    """The command exits 0, and its verdicts are the expected ones."""
    assert release.code == 0, release.err
    assert release.summary["exit_code"] == 0
    assert release.summary["verdicts"] == {"canary": "promoted", "drill": "rolled-back"}
    assert [phase["outcome"] for phase in release.summary["phases"]] == ["passed"] * 5


def test_no_user_of_the_good_canary_fails(release: Finished) -> None:
    """Not one request fails, at no weight change and not at promotion, counted from the log itself."""
    with (release.folder / "traffic" / "canary.csv").open() as file:
        rows = list(csv.DictReader(file))

    failed = [row for row in rows if row["cause"] != "ok"]
    assert failed == []
    assert len(rows) > 1500
    assert {row["version"] for row in rows} == {"1.0.0", "1.1.0"}


def test_stable_serves_without_failure_while_the_drill_goes(release: Finished) -> None:
    """Only the faulty version fails requests, and it is found in seconds."""
    drill = release.summary["requests"]["drill"]["by_version"]

    assert drill["1.1.0"]["failed"] == 0
    assert drill["1.2.0"]["failed"] > 0
    assert set(drill) == {"1.1.0", "1.2.0"}
    assert 0 < release.summary["seconds_to_detect"]["drill"] < 120
    assert 0 <= release.summary["seconds_to_roll_back"]["drill"] < 30


def test_argo_decided_both(release: Finished) -> None:
    """The weights and the abort are Argo's decisions, and its AnalysisRuns are archived with measures."""
    entries = read_journal(release.folder / "journal.jsonl")
    decided = {
        phase: [
            entry.data.get("weight", entry.name)
            for entry in entries
            if entry.kind is Kind.DECISION
            and entry.phase == phase
            and entry.source == "argo-rollouts"
            and entry.name not in {"analysisrun", "steps-complete"}
        ]
        for phase in ("canary", "drill")
    }
    assert decided["canary"][:3] == [20, 50, 100]
    assert decided["canary"][-1] == "promoted"
    # A busy machine may have gone on to half of the users before the second bad measurement; never to all.
    assert decided["drill"] in ([20, 0, "aborted"], [20, 50, 0, "aborted"])
    archived = list((release.folder / "objects" / "drill").glob("AnalysisRun-*.json"))
    assert len(archived) == 1
    status = json.loads(archived[0].read_text())["status"]
    assert status["phase"] == "Failed"
    assert any(metric["phase"] == "Failed" for metric in status["metricResults"])


def test_the_edge_followed_the_cluster_before_each_rollout(release: Finished) -> None:
    """A change was seen in the edge's answers before Argo moved any weight."""
    entries = read_journal(release.folder / "journal.jsonl")
    for phase in ("canary", "drill"):
        seen = [
            entry.seq
            for entry in entries
            if entry.phase == phase
            and entry.name == "see that the edge follows the cluster"
            and entry.data.get("state") == "done"
        ]
        moved = [entry.seq for entry in entries if entry.phase == phase and entry.name == "weight"]
        assert len(seen) == 1
        assert seen[0] < min(moved)


def test_the_record_is_whole(release: Finished) -> None:
    """Parameters, versions, metrics, objects, notebooks and requests of the run are in its folder."""
    run = json.loads((release.folder / "run.json").read_text())

    assert {one["name"]: one["healthy"] for one in run["components"]}["argo-rollouts"] is True
    assert any(one["emulated"] for one in run["components"])
    assert run["timing"]["total_s"] > run["timing"]["declared_s"] > 0
    for phase in ("canary", "drill"):
        assert list((release.folder / "metrics" / phase).glob("*.canary.json"))
        assert (release.folder / "objects" / phase / "Rollout-hello.json").is_file()
        assert (release.folder / "notebooks" / f"{phase}.ipynb").is_file()
    for page in (release.folder / "notebooks").glob("*.html"):
        assert not re.search(r"""(?:src|href)=["']https?://""", page.read_text()), page.name


def test_the_report_needs_nothing_else(release: Finished, tmp_path: Path) -> None:
    """One file without an outside address; made again from a copy of the folder, no byte differs."""
    page = (release.folder / "report.html").read_text()
    copied = shutil.copytree(release.folder, tmp_path / release.folder.name)

    done = rollbook("report", str(copied))

    assert done.code == 0, done.err
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert "promoted" in page
    assert page == (copied / "report.html").read_text()


def test_the_record_verifies_and_the_page_gives_itself_again(release: Finished) -> None:
    """Every file is as it was sealed, and the page made again from its own data is the same."""
    verified = json.loads(rollbook("verify", str(release.folder), "--json").out)
    again = rollbook("report", "--from-html", str(release.folder / "report.html"))

    assert [] == verified["problems"]
    assert verified["records"] > 100
    assert again.code == 0, again.err


def test_no_requirement_fails_by_the_evidence_of_a_release(release: Finished) -> None:
    """What the run exercises is proved; nothing is failed, without data, or stale."""
    coverage = json.loads((release.folder / "coverage.json").read_text())
    bad = {
        one["id"]: one["sentence"]
        for one in coverage["requirements"]
        if one["state"] in {"failed", "no-data", "stale"}
    }

    assert {} == bad
    assert coverage["totals"]["states"]["proved"] > 100


def test_the_world_is_as_the_record_says(release: Finished) -> None:
    """After the run the Rollout is healthy on the promoted version, by the digest of the record."""
    run = json.loads((release.folder / "run.json").read_text())
    promoted = next(phase for phase in run["phases"] if phase["name"] == "canary")["release"]

    rollout = release.left

    assert rollout["status"]["phase"] == "Healthy"
    image = rollout["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == promoted["reference"]
    annotations = rollout["spec"]["template"]["metadata"]["annotations"]
    assert annotations["rollbook.dev/version"] == promoted["version"] == "1.1.0"


@pytest.mark.slow
def test_the_same_command_again_gives_the_same_verdicts(release: Finished, tmp_path: Path) -> None:
    """A second run on the same sandbox starts from the baseline again and ends alike.

    The suite has a shorter one: the runbooks alone, on the sandbox of a whole run.
    """
    again = rollbook("run", "--json", "--out", str(tmp_path))

    assert again.code == 0, again.err
    assert again.summary["verdicts"] == release.summary["verdicts"]
    assert again.summary["requests"]["canary"]["failed"] == 0


@pytest.mark.slow
def test_a_sandbox_that_was_taken_down_gives_the_same_verdicts(release: Finished, tmp_path: Path) -> None:
    """From nothing, in another home at the same time, the release ends alike; `down` leaves no process.

    The suite has it in two: deaths strike runs in a fresh home, and sandboxes of two homes are told apart.
    """
    home = tmp_path / "home"
    try:
        fresh = rollbook("run", "--json", "--out", str(tmp_path / "reports"), home=home)
        assert fresh.code == 0, fresh.err
        assert fresh.summary["verdicts"] == release.summary["verdicts"]
    finally:
        down = rollbook("sandbox", "down", home=home)
    status = json.loads(rollbook("sandbox", "status", "--json", home=home).out)

    assert down.code == 0, down.err
    assert (status["state"], status["processes"]) == ("down", 0)
