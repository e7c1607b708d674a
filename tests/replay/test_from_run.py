"""A run's folder as canaries that can be replayed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.report import runs

from rollbook.errors import BadInputError
from rollbook.evidence.journal import Kind
from rollbook.replay import from_run
from rollbook.replay.course import Course
from rollbook.replay.policy import AS_RECORDED, DEFAULT, JUDGE_RECORDED, JudgeSection, Policy
from rollbook.replay.rules import decide

FAST = Policy(every_s=1, judge={"judge": JudgeSection()})


@pytest.fixture(scope="module")
def recorded() -> tuple[Course, Course]:
    """The canary and the drill of the run that is kept in the project."""
    (canary, drill), notes = from_run.courses(Path(__file__).parents[2] / "reports/sample")
    assert () == notes
    return canary, drill


def test_every_answer_of_both_sides_is_in_it(tmp_path: Path) -> None:
    """Counts by version are those of the log; the edge's own answers are nobody's."""
    folder = runs.full_run(tmp_path)
    courses, _ = from_run.courses(folder.path)

    for course, plot in zip(courses, (runs.GOOD, runs.DRILL), strict=True):
        log = runs.traffic(plot)
        mine = [one for one in log if one.version == plot.canary]
        assert len(mine) == len(course.canary.at_s)
        assert sum(one.version == plot.stable for one in log) == len(course.stable.at_s)
        assert sum(one.failed for one in mine) == course.canary.failed.sum()
        assert course.began_s == pytest.approx(min(one.ended_s for one in mine), abs=1e-5)
        assert bool(plot.fault) == course.faulty


def test_the_record_ends_when_argo_decided(recorded: tuple[Course, Course]) -> None:
    """Promoted when all steps were done, aborted when the watch saw it."""
    canary, drill = recorded

    assert [("promote", "argo-rollouts"), ("abort", "argo-rollouts")] == [
        (one.happened.decision, one.happened.by) for one in recorded
    ]
    assert (canary.happened.after_s, drill.happened.after_s) == (canary.ends_s, drill.ends_s)
    assert [20, 50, 100] == [weight for _, weight in canary.weights]
    assert [0, 20, 50] == [canary.weight_at(moment) for moment in (-2.0, 3.0, 20.0)]


def test_the_recorded_rule_decides_as_argo_did(recorded: tuple[Course, Course]) -> None:
    """Replayed over Prometheus' recorded answers it fails when Argo aborted, but for the second that
    Kubernetes keeps times by and what the watch takes; and not at all where Argo promoted."""
    canary, drill = (
        next(one for one in decide(course, DEFAULT) if one.rule == AS_RECORDED) for course in recorded
    )
    assert drill.after_s is not None

    assert ("", "metrics") == (canary.does, canary.basis)
    assert ("abort", "metrics") == (drill.does, drill.basis)
    assert drill.why.startswith("success rate was 0.")
    assert 0.0 <= recorded[1].ends_s - drill.after_s < 2.0


def test_the_judge_would_have_been_earlier(recorded: tuple[Course, Course]) -> None:
    """In the recorded drill; and in the recorded healthy canary it says nothing."""
    (_, quiet), (real, judge) = (decide(course, FAST) for course in recorded)
    assert judge.after_s is not None
    assert real.after_s is not None

    assert ("", "abort") == (quiet.does, judge.does)
    assert judge.after_s < real.after_s
    assert judge.failed < real.failed


def test_what_the_judge_said_in_the_run_is_a_rule_of_its_own(tmp_path: Path) -> None:
    """Its entries in the journal: harmful eight seconds into the drill, and nothing where it never looked."""
    folder = runs.full_run(tmp_path)
    path = folder.path / "journal.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))  # to go on before the seal
    clock = runs.HandClock(runs.DRILL.begins + timedelta(seconds=8))
    journal = folder.journal("drill", clock)
    journal.append(Kind.OBSERVATION, "look", {}, source="judge")
    journal.append(Kind.DECISION, "judge: harmful", {"message": "It is worse."}, source="judge")
    canary, drill = from_run.courses(folder.path)[0]
    found = {one.rule: one for one in decide(drill, DEFAULT)}

    assert canary.judged is None
    assert found[JUDGE_RECORDED].after_s == pytest.approx(clock.now().timestamp() - drill.began_s)
    assert ("abort", "It is worse.", 20) == (
        found[JUDGE_RECORDED].does,
        found[JUDGE_RECORDED].why,
        found[JUDGE_RECORDED].weight,
    )
    assert JUDGE_RECORDED not in [one.rule for one in decide(canary, DEFAULT)]


def test_without_requests_there_is_nothing_to_replay(tmp_path: Path) -> None:
    """It is said, and no figure is made up."""
    folder = runs.full_run(tmp_path)
    for log in (folder.path / "traffic").glob("*.csv"):
        log.unlink()
    courses, notes = from_run.courses(folder.path)

    assert () == courses
    assert [
        "canary: no answer of the new version is on record.",
        "drill: no answer of the new version is on record.",
        "there is no canary to replay.",
    ] == [note.partition(folder.run_id)[2].lstrip(":, ") for note in notes]


def test_an_unreadable_analysis_run_leaves_the_other_rules(tmp_path: Path) -> None:
    """Thresholds of another shape are not guessed; the rest is replayed."""
    courses, _ = from_run.courses(runs.full_run(tmp_path).path)

    assert [None, None] == [one.recorded for one in courses]
    assert AS_RECORDED not in [one.rule for one in decide(courses[0], DEFAULT)]


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    """It is bad input."""
    with pytest.raises(BadInputError, match="is not the folder of a run"):
        from_run.courses(tmp_path)
