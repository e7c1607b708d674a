"""What changed between two runs: found, given a direction, and told with the counts it rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.history.runs import coverage_json, phase, run_json, write
from tests.report.runs import DRILL, GOOD, CanaryPlot, cut_off_run, full_run, traffic, write_traffic

from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.errors import BadInputError, EvidenceInvalidError
from rollbook.evidence.folder import RunFolder
from rollbook.history.changes import Difference
from rollbook.history.comparison import Comparison, compare
from rollbook.history.facts import gather
from rollbook.history.noise import Change
from rollbook.history.telling import summary

Edit = Callable[[dict[str, Any]], object]


def second_run(tmp_path: Path, *edits: Edit) -> RunFolder:
    """The same run again, with what the edits do to its `run.json`."""
    folder = full_run(tmp_path / "second")
    run = folder.read_run()
    for edit in edits:
        edit(run)
    folder.write_run(run)
    return folder


def compared(first: RunFolder, second: RunFolder) -> Comparison:
    return compare(gather(first.path), gather(second.path))


def requests(folder: RunFolder, plot: CanaryPlot, change: Callable[[RequestRecord], RequestRecord]) -> None:
    """Write the users' requests of a phase again, each changed."""
    (folder.path / "traffic" / f"{plot.name}.csv").unlink()
    write_traffic(folder, plot.name, [change(one) for one in traffic(plot)])


def found(differences: Sequence[Difference], phase: str, name: str) -> Difference:
    [one] = [one for one in differences if (one.phase, one.name) == (phase, name)]
    return one


def words(differences: Sequence[Difference]) -> dict[tuple[str, str], str]:
    return {(one.phase, one.name): one.word for one in differences}


def test_a_run_and_itself_differ_in_nothing(tmp_path: Path) -> None:
    """Every verdict and figure is the same, and nothing else is listed."""
    folder = full_run(tmp_path)

    same = compared(folder, folder)

    assert {Change.SAME} == {one.change for one in (*same.verdicts, *same.metrics)}
    assert ((), (), (), ()) == (same.gates, same.parameters, same.versions, same.requirements)
    assert "Nothing became worse or better beyond noise." == summary(same)


def test_more_failures_are_worse_with_the_counts_that_say_so(tmp_path: Path) -> None:
    """A canary that failed a tenth of its requests failed more, and stable, which did not, is the same."""
    first, second = full_run(tmp_path / "first"), second_run(tmp_path)
    answered = 0

    def tenth(one: RequestRecord) -> RequestRecord:
        nonlocal answered
        answered += one.version == GOOD.canary
        bad = one.version == GOOD.canary and answered % 10 == 0
        return replace(one, status=503, cause=Cause.APP_ERROR) if bad else one

    requests(second, GOOD, tenth)

    metrics = compared(first, second).metrics
    worse = found(metrics, "canary", "failed on canary")
    total = sum(one.version == GOOD.canary for one in traffic(GOOD))

    assert (Change.WORSE, "more failed") == (worse.change, worse.word)
    assert f"{total // 10:,} of {total:,}" in worse.after
    assert worse.basis.startswith("99\u00a0% intervals: 0\u00a0% to ")
    assert Change.SAME is found(metrics, "canary", "failed on stable").change
    assert "fewer failed" == found(compared(second, first).metrics, "canary", "failed on canary").word


def test_one_failure_more_is_noise(tmp_path: Path) -> None:
    """One failed request among thousands says nothing about the release."""
    first, second = full_run(tmp_path / "first"), second_run(tmp_path)
    unlucky = next(one for one in traffic(GOOD) if one.version == GOOD.canary)
    requests(second, GOOD, lambda one: replace(one, cause=Cause.TIMEOUT, status=0) if one == unlucky else one)

    one = found(compared(first, second).metrics, "canary", "failed on canary")

    assert (Change.NOISE, "within noise") == (one.change, one.word)


def test_a_slower_canary_is_slower_and_stable_is_not(tmp_path: Path) -> None:
    """p95 is judged by side, and what both sides share is said not to be the version's doing."""
    first, second, busy = full_run(tmp_path / "first"), second_run(tmp_path), second_run(tmp_path / "busy")
    slow = {GOOD.canary}
    requests(
        second, GOOD, lambda one: replace(one, latency_s=one.latency_s * 4) if one.version in slow else one
    )
    requests(busy, GOOD, lambda one: replace(one, latency_s=one.latency_s * 4))

    metrics = compared(first, second).metrics
    by_version = found(metrics, "canary", "p95 of canary")
    by_machine = found(compared(first, busy).metrics, "canary", "p95 of canary")

    assert (Change.WORSE, "slower") == (by_version.change, by_version.word)
    assert Change.SAME is found(metrics, "canary", "p95 of stable").change
    assert "the same way" not in by_version.basis
    assert "stable moved the same way, so the version alone does not explain it" in by_machine.basis


def test_times_of_a_drill_are_compared_with_how_often_argo_looked(tmp_path: Path) -> None:
    """What was detected one look later is within noise; a drill takes longer when it does."""
    first = full_run(tmp_path / "first")
    second = second_run(tmp_path, lambda run: run["phases"][3].update(seconds=60.0))

    metrics = compared(first, second).metrics

    assert "measured once in each run; Argo looked every 5.0\u00a0s" == (
        found(metrics, "drill", "time to detect").basis
    )
    assert "longer" == found(metrics, "drill", "duration").word
    assert f"{DRILL.length_s}\u00a0s" == found(metrics, "drill", "duration").before


def test_verdicts_that_turned_are_told_by_phase(tmp_path: Path) -> None:
    """A phase that no longer passes is worse; one that only one of the runs has is neither."""

    def refuse(run: dict[str, Any]) -> None:
        run["phases"][2] |= {"outcome": "refused", "exit_code": 3}
        run["phases"].pop()
        run["outcome"]["exit_code"] = 3

    first, second = full_run(tmp_path / "first"), second_run(tmp_path, refuse)

    assert {
        ("", "run"): "no longer passes",
        ("provision", "verdict"): "same",
        ("deploy", "verdict"): "same",
        ("canary", "verdict"): "no longer passes",
        ("drill", "verdict"): "same",
        ("validate", "verdict"): "only in the first run",
    } == words(compared(first, second).verdicts)
    assert "passes now" == words(compared(second, first).verdicts)["canary", "verdict"]
    assert "2 worse, 0 better; noise counts as neither." == summary(compared(first, second))


def test_gates_that_turned_are_told(tmp_path: Path) -> None:
    """A gate that refuses now is worse; those that ended alike are counted."""
    first, second = full_run(tmp_path / "first"), second_run(tmp_path)
    journal = second.path / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text(
        "".join(
            line.replace('"passed":true', '"passed":false').replace('"passed": true', '"passed": false')
            if "running image" in line
            else line
            for line in lines
        )
    )

    result = compared(first, second)

    assert {("validate", "running image"): "no longer passes"} == words(result.gates)
    assert 2 == result.unchanged["gates"]


def test_parameters_and_versions_that_differ_are_listed(tmp_path: Path) -> None:
    """Only what differs is listed, and where a run is kept is no parameter of it."""

    def edit(run: dict[str, Any]) -> None:
        run["phases"][2]["parameters"] |= {"rps": 100.0, "run": "elsewhere", "fault": None, "lead_s": 3}
        run["components"][1]["version"] = "v1.11.0"
        run["commit"]["dirty"] = True
        run["phases"][2]["release"]["version"] = "1.1.1"

    first, second = full_run(tmp_path / "first"), second_run(tmp_path, edit)

    result = compared(first, second)

    assert {("canary", "rps"): "changed", ("canary", "lead_s"): "set"} == words(result.parameters)
    assert {
        ("canary", "released version"): ("1.1.0", "1.1.1"),
        ("", "Argo Rollouts"): ("v1.10.2", "v1.11.0"),
        ("", "commit"): (
            "9f1c2d3e4b5a69788796a5b4c3d2e1f001122334",
            "9f1c2d3e4b5a69788796a5b4c3d2e1f001122334 with changes",
        ),
    } == {(one.phase, one.name): (one.before, one.after) for one in result.versions}


def with_coverage(tmp_path: Path, name: str, states: dict[str, str]) -> RunFolder:
    return RunFolder(write(tmp_path / name, run_json(), coverage_json(states)))


def test_requirements_that_changed_state_are_told(tmp_path: Path) -> None:
    """Proved is better, no longer proved and failed are worse, and the rest is another state."""
    before = {
        "R1": "proved",
        "R2": "failed",
        "R3": "no-data",
        "R4": "proved",
        "R5": "no-data",
        "R6": "proved",
    }
    after = {"R1": "stale", "R2": "proved", "R3": "failed", "R4": "proved", "R5": "deferred", "R7": "proved"}

    result = compared(with_coverage(tmp_path, "first", before), with_coverage(tmp_path, "second", after))

    assert {
        "R1": (Change.WORSE, "now stale"),
        "R2": (Change.BETTER, "now proved"),
        "R3": (Change.WORSE, "now failed"),
        "R5": (Change.DIFFERENT, "now deferred"),
        "R6": (Change.DIFFERENT, "only in the first run"),
        "R7": (Change.DIFFERENT, "only in the second run"),
    } == {one.name: (one.change, one.word) for one in result.requirements}
    assert ("What R1 asks for.", "R1 is stale.") == (
        result.requirements[0].text,
        result.requirements[0].basis,
    )
    assert 1 == result.unchanged["requirements"]


def test_stale_requirements_are_followed(tmp_path: Path) -> None:
    """What went stale, what still is, and what no longer is, each with the sentence that says why."""
    before = {"R1": "proved", "R2": "stale", "R3": "stale", "R4": "proved"}
    after = {"R1": "stale", "R2": "stale", "R3": "proved", "R4": "proved"}

    result = compared(with_coverage(tmp_path, "first", before), with_coverage(tmp_path, "second", after))

    assert {
        "R1": ("went stale", "R1 is stale."),
        "R2": ("stale in both runs", "R2 is stale."),
        "R3": ("no longer stale", "R3 is stale."),
    } == {one.name: (one.word, one.basis) for one in result.stale}


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    """Runs without coverage, without an end, of another service, or the wrong way round are noted."""
    later = write(tmp_path / "a", {**run_json(5), "service": {"name": "orders"}})
    notes = compare(gather(later), gather(cut_off_run(tmp_path / "b").path)).notes

    for said in (
        "The first run is the newer one",
        "The runs have another service: orders, and hello.",
        "The second run has no end on record",
        "The second run did not record its components",
        "The first run has no coverage.json",
    ):
        assert [said] == [said for note in notes if note.startswith(said)]


def test_durations_of_runs_with_other_phases_are_not_compared(tmp_path: Path) -> None:
    """A run of one phase is shorter than a whole one, which says nothing."""
    whole, part = write(tmp_path, run_json(0)), write(tmp_path, run_json(1, [phase("deploy")]))

    assert ("", "duration") not in words(compare(gather(whole), gather(part)).metrics)
    assert ("", "duration") in words(compare(gather(whole), gather(whole)).metrics)


def test_folders_that_are_not_runs_are_refused(tmp_path: Path) -> None:
    """A folder without a run is bad input; a record that says nonsense is evidence that does not verify."""
    (tmp_path / "run.json").write_text('{"phases": 3}')

    with pytest.raises(BadInputError, match="is not the folder of a run"):
        gather(tmp_path / "nowhere")
    with pytest.raises(EvidenceInvalidError, match=r"run\.json does not say what a run\.json says"):
        gather(tmp_path)
