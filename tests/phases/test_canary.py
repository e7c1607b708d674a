"""The canary phase, on a world that follows a script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.phases.fakes import ABORTED, AT_REST, PROMOTED, START, UNDER_WAY, Stage, answer, at, image, stage

from rollbook.domain.release import Verdict
from rollbook.domain.rollout import AnalysisRun, Measurement, MetricResult, RolloutStatus
from rollbook.domain.traffic import Cause
from rollbook.errors import BadInputError, EnvironmentFailedError, GateRefusedError, NotFoundError
from rollbook.evidence.journal import Kind
from rollbook.phases import canary, planning, users

GOOD = (UNDER_WAY, at(20, 1), at(50, 3), PROMOTED)
BAD = (UNDER_WAY, at(20, 1), ABORTED)


def run(on: Stage, *, fault: str = "", timeout_s: float = 300.0) -> canary.CanaryOutcome:
    planned = planning.plan(on.ctx, version="", fault=fault)
    timings = canary.Timings(lead_s=1.0, timeout_s=timeout_s, drain_s=5.0)
    with canary.users_and_rollout(on.ctx, planned, image(), rps=50, timings=timings) as rollout:
        return rollout.watch()


def decisions(on: Stage) -> list[tuple[str, object]]:
    return [
        (entry.name, entry.data.get("weight"))
        for entry in on.ctx.journal.entries()
        if entry.kind is Kind.DECISION
    ]


def test_a_good_canary_is_promoted(tmp_path: Path) -> None:
    """The weights are those that Argo set, and the verdict is promoted."""
    on = stage(tmp_path, GOOD)

    outcome = run(on)

    assert outcome.verdict is Verdict.PROMOTED
    assert [weight for _, weight in outcome.weights] == [0, 20, 50, 0]
    assert decisions(on) == [
        ("weight", 20),
        ("weight", 50),
        ("weight", 0),
        ("steps-complete", None),
        ("promoted", None),
    ]
    assert on.cluster.calls == ["apply"]
    assert on.traffic.ended == 1


def test_declared_pauses_are_counted_apart(tmp_path: Path) -> None:
    """Two pauses of ten seconds and the lead times are declared, whatever the rest took."""
    outcome = run(stage(tmp_path, GOOD))

    assert outcome.declared_s == pytest.approx(22.0)


def test_an_aborted_canary_is_rolled_back_and_taken_out(tmp_path: Path) -> None:
    """After Argo's abort the aborted template leaves the Rollout, so that the next release finds rest."""
    on = stage(tmp_path, BAD)

    outcome = run(on, fault="errors")

    assert outcome.verdict is Verdict.ROLLED_BACK
    assert outcome.message == "analysis failed"
    assert on.cluster.calls == ["apply", "undo"]


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ((UNDER_WAY, at(20, 1), replace(at(20, 1), message="InconclusiveAnalysisRun")), Verdict.PAUSED),
        ((UNDER_WAY, at(20, 1)), Verdict.TIMED_OUT),
    ],
)
def test_a_canary_that_does_not_end_is_aborted(
    tmp_path: Path, script: tuple[RolloutStatus, ...], verdict: Verdict
) -> None:
    """A rollout that stands still is never left with users on the new version."""
    on = stage(tmp_path, script)

    outcome = run(on, timeout_s=60.0)

    assert outcome.verdict is verdict
    assert on.cluster.calls[:2] == ["apply", "abort"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("kernel"), EnvironmentFailedError("x")])
def test_an_interrupted_canary_goes_back_to_stable(tmp_path: Path, error: BaseException) -> None:
    """Whatever ends the block early, the rollout is aborted, the traffic stopped, and the error goes on."""
    on = stage(tmp_path)
    planned = planning.plan(on.ctx, version="", fault="")
    block = canary.users_and_rollout(on.ctx, planned, image(), rps=50, timings=canary.Timings())
    block.__enter__()
    on.cluster.status = at(20, 1)
    swallowed = block.__exit__(type(error), error, None)

    assert not swallowed
    assert on.cluster.calls == ["abort", "undo"]
    assert on.traffic.ended == 1
    assert ("abort", None) in decisions(on)


def test_back_to_stable_leaves_a_rollout_at_rest_alone(tmp_path: Path) -> None:
    """There is nothing to abort when nothing rolls out."""
    on = stage(tmp_path)

    assert canary.back_to_stable(on.ctx, "test") is False
    assert on.cluster.calls == []


def test_back_to_stable_does_not_hide_the_first_error(tmp_path: Path) -> None:
    """When the API server is gone, the way back says so in the journal instead of raising."""
    on = stage(tmp_path)
    on.cluster.broken = True

    canary.back_to_stable(on.ctx, "test")

    last = on.ctx.journal.entries()[-1]
    assert (last.name, last.data["state"]) == ("back to stable", "failed")


def test_the_next_minor_version_is_planned(tmp_path: Path) -> None:
    """Without a version, the next minor one after what is stable is released."""
    planned = planning.plan(stage(tmp_path).ctx, version="", fault="errors")

    assert (planned.stable_version, planned.version) == ("1.0.0", "1.1.0")
    assert planned.fault_env == {"LOSE": "0.2"}
    assert planned.pause_s == 20.0


def test_what_is_stable_already_is_not_released(tmp_path: Path) -> None:
    """A version that runs already would be no release."""
    with pytest.raises(BadInputError, match="is stable already"):
        planning.plan(stage(tmp_path).ctx, version="1.0.0", fault="")


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    """A drill with a fault that the service file does not name is bad input, with the known ones."""
    with pytest.raises(BadInputError, match="it has: errors"):
        planning.plan(stage(tmp_path).ctx, version="", fault="typo")


@pytest.mark.parametrize(
    ("status", "kind"), [(None, NotFoundError), (replace(AT_REST, phase="Degraded"), EnvironmentFailedError)]
)
def test_a_canary_needs_a_healthy_baseline(
    tmp_path: Path, status: RolloutStatus | None, kind: type[EnvironmentFailedError]
) -> None:
    """Nothing deployed, or a Rollout that is not healthy: the environment is not ready."""
    on = stage(tmp_path)
    on.cluster.status = status

    with pytest.raises(kind):
        planning.plan(on.ctx, version="", fault="")


def test_the_gate_passes_what_was_expected(tmp_path: Path) -> None:
    """Promoted as expected, no failed request: the gate lets it by, and says so in the journal."""
    on = stage(tmp_path, GOOD)
    outcome = run(on)

    users.gate(on.ctx, outcome, users.account(on.ctx, outcome), expect="promoted")

    gates = [entry.data["passed"] for entry in on.ctx.journal.entries() if entry.kind is Kind.GATE]
    assert gates == [True, True]


def test_the_gate_refuses_another_verdict(tmp_path: Path) -> None:
    """A faulty canary that was promoted is refused: rollback did not work."""
    on = stage(tmp_path, GOOD)
    outcome = run(on, fault="errors")

    with pytest.raises(GateRefusedError, match="expected to be rolled-back and was promoted"):
        users.gate(on.ctx, outcome, users.account(on.ctx, outcome), expect="rolled-back")


@pytest.mark.parametrize("cause", [Cause.APP_ERROR, Cause.TIMEOUT, Cause.PROXY_ERROR])
def test_the_gate_refuses_a_promotion_that_users_felt(tmp_path: Path, cause: Cause) -> None:
    """More failed requests than the objective allows: refused, although Argo promoted."""
    on = stage(tmp_path, GOOD)
    on.traffic.script = [*(answer(second) for second in range(90)), *(answer(90, cause=cause),) * 10]
    outcome = run(on)

    with pytest.raises(GateRefusedError, match=r"10 of 100 requests failed \(10 %\)"):
        users.gate(on.ctx, outcome, users.account(on.ctx, outcome), expect="promoted")


def test_a_drill_does_not_answer_for_the_faulty_version(tmp_path: Path) -> None:
    """In a drill only what stable answered must be good; what the faulty version did is told apart."""
    on = stage(tmp_path, BAD)
    bad = [answer(2.0 + second / 10, "1.1.0", Cause.APP_ERROR) for second in range(20)]
    on.traffic.script = [*(answer(second) for second in range(90)), *bad]
    outcome = run(on, fault="errors")
    account = users.account(on.ctx, outcome)

    users.gate(on.ctx, outcome, account, expect="rolled-back")

    assert (account.failed, account.failed_by_stable) == (20, 0)
    assert account.drill is not None
    assert account.drill.users_hit == 20
    facts = users.facts(outcome, account)
    assert facts["users"]["by_version"]["1.1.0"]["by_cause"] == {"app-error": 20}


def test_an_analysis_that_could_not_measure_is_no_verdict_on_the_version(tmp_path: Path) -> None:
    """Prometheus was gone: Argo aborts, and that is the environment's failure, not a refused release."""
    on = stage(tmp_path, BAD)
    message = "dial tcp: connection refused"
    measurement = Measurement(START, START, "Error", "", message)
    metric = MetricResult(
        "success-rate", "Error", "q", "", "", "1", 0, 0, 0, 5, (measurement,), "too many errors"
    )
    on.cluster.runs_seen_later = (AnalysisRun("shop", "orders-2", "Error", "", START, START, (metric,)),)
    outcome = run(on)

    with pytest.raises(EnvironmentFailedError, match="could not measure"):
        users.gate(on.ctx, outcome, users.account(on.ctx, outcome), expect="promoted")


def test_without_any_request_nothing_is_proved(tmp_path: Path) -> None:
    """No traffic is not good traffic: the gate refuses."""
    on = stage(tmp_path, GOOD)
    on.traffic.script = []
    outcome = run(on)

    with pytest.raises(GateRefusedError, match="0 of 0"):
        users.gate(on.ctx, outcome, users.account(on.ctx, outcome), expect="promoted")
