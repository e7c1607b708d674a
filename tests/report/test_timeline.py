"""A phase over time: weights, lanes, marks, and the counts that must agree with the requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report import runs

from rollbook.bundle.load import load
from rollbook.bundle.run_record import PhaseRecord
from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.evidence.journal import Entry, Kind
from rollbook.report.timeline import CANARY, EDGE, STABLE, Timeline, build_timeline, side_of

PHASE = PhaseRecord.model_validate(
    {
        "name": "canary",
        "phase": "canary",
        "stable": {"version": "1.0.0", "hash": "aaaa"},
        "canary": {"version": "1.1.0", "hash": "bbbb"},
    }
)


def request(at: float, version: str = "1.0.0", cause: Cause = Cause.OK, pod: str = "") -> RequestRecord:
    """One request, due `at` seconds after the epoch."""
    return RequestRecord(at, at, 0.01, 200, cause, version, pod)


def decision(at: float, name: str, **data: object) -> Entry:
    """One decision `at` seconds after the epoch."""
    return Entry(1, datetime.fromtimestamp(at, UTC), "canary", Kind.DECISION, name, "argo-rollouts", data)


def timeline(entries: list[Entry], traffic: list[RequestRecord]) -> Timeline | None:
    """The timeline of the phase above, without AnalysisRuns and objective."""
    return build_timeline(PHASE, entries, traffic, (), availability=None, p95_bound_s=None)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 400),
            st.sampled_from(["1.0.0", "1.1.0", ""]),
            st.sampled_from([Cause.OK, Cause.RESET]),
        ),
        min_size=1,
        max_size=80,
    )
)
def test_no_request_is_lost_between_log_and_figure(rows: list[tuple[float, str, Cause]]) -> None:
    """However requests are spread over time, every failure is in exactly one bin of one lane."""
    traffic = sorted((request(*row) for row in rows), key=lambda one: one.scheduled_s)
    drawn = timeline([], traffic)
    assert drawn is not None
    assert sum(one.failed for one in traffic) == sum(sum(lane.failed) for lane in drawn.lanes)
    assert {len(drawn.bin_starts)} == {len(lane.rps) for lane in drawn.lanes}
    assert len(drawn.bin_starts) <= 181


def test_nothing_to_draw_gives_no_timeline() -> None:
    """Without a request and without a decision there is no timeline."""
    assert None is timeline([], [])


def test_weights_begin_at_zero_and_repeat_nothing() -> None:
    """The weights are steps from 0, each once, in seconds from the first request."""
    entries = [decision(104, "weight", weight=20), decision(106, "weight", weight=20)]
    drawn = timeline([*entries, decision(110, "weight", weight=50)], [request(100), request(120)])
    assert drawn is not None
    assert ((0.0, 0), (4.0, 20), (10.0, 50)) == drawn.weights
    assert ["20\u00a0%", "50\u00a0%"] == [mark.label for mark in drawn.marks]


def test_the_weight_after_promotion_takes_no_user_away() -> None:
    """Argo's reset of the weight to 0 at promotion is not drawn: everyone is on the new version."""
    entries = [
        decision(104, "weight", weight=100),
        decision(108, "promoted"),
        decision(108.2, "weight", weight=0),
    ]
    drawn = timeline(entries, [request(100), request(120, "1.1.0")])
    assert drawn is not None
    assert ((0.0, 0), (4.0, 100)) == drawn.weights


@pytest.mark.parametrize(
    ("version", "side"), [("1.0.0", STABLE), ("1.1.0", CANARY), ("", EDGE), ("0.9.0", STABLE)]
)
def test_the_side_follows_the_version(version: str, side: str) -> None:
    """The canary's version is the canary, none at all is the edge, any other is stable."""
    assert side == side_of(request(0, version), PHASE)


@pytest.mark.parametrize(("pod", "side"), [("hello-aaaa-x1", STABLE), ("hello-bbbb-x2", CANARY)])
def test_the_pod_decides_when_both_sides_carry_one_version(pod: str, side: str) -> None:
    """With one version on both sides, the pod-template hash in the pod's name tells them apart."""
    same = PHASE.model_copy(update={"stable": PHASE.stable.model_copy(update={"version": "1.1.0"})})
    assert side == side_of(request(0, "1.1.0", pod=pod), same)


def test_weights_come_from_observations_when_no_decision_is_written(tmp_path: Path) -> None:
    """A journal with Rollout observations only still gives the weights."""
    evidence = load(runs.full_run(tmp_path))
    mine = [
        replace(entry, kind=Kind.OBSERVATION, name="rollout") if entry.name == "weight" else entry
        for entry in evidence.entries
        if entry.phase == "drill"
    ]
    drill = evidence.run.phases[3]
    drawn = build_timeline(
        drill, mine, evidence.phase("drill").traffic, (), availability=None, p95_bound_s=None
    )
    assert drawn is not None
    assert [0, 20, 0] == [weight for _, weight in drawn.weights]
