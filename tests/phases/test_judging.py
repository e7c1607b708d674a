"""The judge in a canary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.phases.fakes import ABORTED, HandClock, Stage, at, stage

from rollbook.domain.rollout import Step
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.journal import Kind
from rollbook.judge.asking import COUNTER, SIDE
from rollbook.phases.gating import GatePolicy, Undecided
from rollbook.phases.judging import CanaryJudge, Mode, Policy
from rollbook.ports import Series

STEPS = (Step(set_weight=20), Step(pause_s=10.0, pauses=True), Step(set_weight=50))
COUNTERS = {"requests": 'requests{hash="$hash"}', "errors": 'errors{hash="$hash"}'}


@dataclass
class Totals:
    """Prometheus that knows running totals by side and counter; `away` answers nothing."""

    clock: HandClock
    found: dict[tuple[str, str], float] = field(default_factory=dict)
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def vector(self, query: str) -> tuple[Series, ...]:
        if self.away:
            raise EnvironmentFailedError("no answer from Prometheus")
        self.asked.append(query)
        now = self.clock.now().timestamp()
        return tuple(
            Series({SIDE: side, COUNTER: counter}, ((now, value),))
            for (side, counter), value in self.found.items()
            if f'"{side}"' in query
        )

    def add(self, side: str, requests: int, errors: int) -> None:
        """More requests of a side, and how many of them failed."""
        for name, number in (("requests", requests), ("errors", errors)):
            self.found[side, name] = self.found.get((side, name), 0.0) + number


@dataclass
class Judging:
    """A judge on a stage."""

    on: Stage
    totals: Totals
    judge: CanaryJudge

    def looks(self, number: int, canary_errors: int) -> None:
        """So many looks, 5 s apart; each has 200 requests of stable, one bad, and 50 of the canary."""
        for _ in range(number):
            self.totals.add("stable", 200, 1)
            self.totals.add("canary", 50, canary_errors)
            self.judge.look("canary", replace(at(20, 1), paused=True))
            self.on.clock.sleep(5.0)

    def entries(self, kind: str) -> list[str]:
        """Names of the judge's entries of a kind."""
        entries = self.on.ctx.journal.entries()
        return [one.name for one in entries if one.source == "judge" and one.kind.value == kind]


def judging(tmp_path: Path, policy: Policy) -> Judging:
    """A judge of a service with counters."""
    on = stage(tmp_path)
    totals = Totals(on.clock)
    service = replace(on.ctx.service, counters=COUNTERS)
    ctx = replace(on.ctx, service=service, world=replace(on.ctx.world, metrics=totals))
    return Judging(on, totals, CanaryJudge(ctx, "stable", policy, STEPS))


def test_a_healthy_canary_becomes_safe(tmp_path: Path) -> None:
    """It is undecided first, and safe when enough is known; nothing is done about it."""
    seen = judging(tmp_path, Policy(Mode.ABORT, margin=0.05))

    seen.looks(40, 0)

    told = seen.judge.told()
    assert told is not None
    assert ("safe", 40, None) == (told.verdict, told.looks, told.first_harmful_s)
    assert ["judge: undecided", "judge: safe"] == [one for one in seen.entries("decision") if "," not in one]
    assert 40 == len(seen.entries("observation"))
    assert [] == seen.on.cluster.calls


@pytest.mark.parametrize(("mode", "verbs"), [(Mode.ADVISE, []), (Mode.ABORT, ["abort"])])
def test_a_harmful_canary_is_told_and_aborted_only_if_that_is_allowed(
    tmp_path: Path, mode: Mode, verbs: list[str]
) -> None:
    """By `advise` Argo decides; by `abort` the Rollout is aborted once."""
    seen = judging(tmp_path, Policy(mode))

    seen.looks(6, 10)

    told = seen.judge.told()
    assert told is not None
    assert "harmful" == told.verdict
    assert told.first_harmful_s is not None
    assert told.first_harmful_s <= 15.0
    assert verbs == seen.on.cluster.calls
    assert bool(verbs) is seen.judge.aborted


def test_without_prometheus_nothing_is_called_safe(tmp_path: Path) -> None:
    """While it is away there is no new verdict, and the missing scrapes are told."""
    seen = judging(tmp_path, Policy(Mode.ABORT))
    seen.totals.away = True

    seen.looks(10, 0)

    told = seen.judge.told()
    assert told is not None
    assert "no-data" == told.verdict
    assert any("10 scrape(s) are missing" in one for one in told.warnings)


def test_before_there_is_a_canary_stable_is_learnt_from(tmp_path: Path) -> None:
    """Looks at stable alone leave no verdict, and what they counted is in the first one with a canary."""
    seen = judging(tmp_path, Policy())
    for _ in range(4):
        seen.totals.add("stable", 100, 1)
        seen.judge.look("")
        seen.on.clock.sleep(1.0)

    assert None is seen.judge.told()
    assert [] == seen.entries("observation")
    seen.looks(1, 0)
    [look] = [one for one in seen.on.ctx.journal.entries() if one.kind is Kind.OBSERVATION]
    assert (500, 4, 50) == tuple(
        look.data["counts"][name] for name in ("stable_total", "stable_errors", "canary_total")
    )


def test_it_asks_once_a_second_and_only_when_it_is_time(tmp_path: Path) -> None:
    """The follower calls it ten times a second; one request tells of both sides."""
    seen = judging(tmp_path, Policy())
    for _ in range(40):
        seen.totals.add("stable", 4, 0)
        seen.judge.look("canary", at(0, 0))
        seen.on.clock.sleep(0.1)

    assert 4 == len(seen.totals.asked)


def test_a_first_scrape_is_compared_with_all_of_the_time_since_users_came(tmp_path: Path) -> None:
    """A canary with a weight that nobody has scraped is a missing scrape, for both sides."""
    seen = judging(tmp_path, Policy(Mode.ABORT))
    seen.totals.add("stable", 200, 0)
    seen.judge.look("canary", at(0, 0))
    for _ in range(4):
        seen.on.clock.sleep(1.0)
        seen.totals.add("stable", 40, 0)
        seen.judge.look("canary", at(20, 1))
    seen.totals.add("canary", 40, 8)
    seen.on.clock.sleep(1.0)
    seen.judge.look("canary", at(20, 1))

    told = seen.judge.told()
    assert told is not None
    assert ("harmful", True) == (told.verdict, told.aborted)
    assert "8 of 40 (20 %) canary requests failed and 0 of 160" in told.sentence


def test_requests_from_before_a_weight_changed_say_nothing_of_the_split(tmp_path: Path) -> None:
    """A canary that is scraped late brings requests of another weight: they are not compared with it."""
    seen = judging(tmp_path, Policy())
    seen.totals.add("stable", 1000, 0)
    seen.judge.look("")
    seen.on.clock.sleep(10.0)
    for _ in range(6):
        seen.totals.add("stable", 200, 0)
        seen.judge.look("canary", at(20, 1))
        seen.on.clock.sleep(1.0)

    seen.looks(8, 0)

    looks = [one.data for one in seen.on.ctx.journal.entries() if one.kind is Kind.OBSERVATION]
    first, last = (looks[number]["metrics"]["split"] for number in (6, -1))
    assert ("no-data", "undecided") == (first["verdict"], last["verdict"])
    assert 50 * 7 == last["counts"]["canary_total"]


def test_an_abort_that_did_not_reach_the_cluster_is_tried_again(tmp_path: Path) -> None:
    """While the API server is away, the next look aborts."""
    seen = judging(tmp_path, Policy(Mode.ABORT))
    aborts = seen.on.cluster.abort

    def away(_namespace: str, _name: str) -> None:
        raise EnvironmentFailedError("no answer from the API server")

    seen.on.cluster.abort = away  # type: ignore[method-assign]
    seen.looks(5, 20)
    assert not seen.judge.aborted
    seen.on.cluster.abort = aborts  # type: ignore[method-assign]
    seen.looks(2, 20)

    assert (True, ["abort"]) == (seen.judge.aborted, seen.on.cluster.calls)


GATE = Policy(Mode.GATE, margin=0.05, gate=GatePolicy(budget_s=60.0))


def test_a_safe_canary_is_let_through_once_a_step(tmp_path: Path) -> None:
    """The paused step is ended when it is safe by what came at its weight, and only that one."""
    seen = judging(tmp_path, GATE)
    for _ in range(12):
        status = at(20, 2) if seen.on.cluster.calls else replace(at(20, 1), paused=True)
        seen.totals.add("stable", 200, 0)
        seen.totals.add("canary", 50, 0)
        seen.judge.look("canary", status)
        seen.on.clock.sleep(5.0)

    told = seen.judge.told()
    assert told is not None
    assert (["promote_step"], 1, "safe") == (seen.on.cluster.calls, told.advanced, told.verdict)
    assert ["judge advances"] == [one for one in seen.entries("decision") if "advances" in one]


@pytest.mark.parametrize(
    ("undecided", "call"), [(Undecided.ABORT, "abort"), (Undecided.ADVANCE, "promote_step")]
)
def test_when_time_is_over_the_policy_says_what_is_done(
    tmp_path: Path, undecided: Undecided, call: str
) -> None:
    """Until then an undecided canary waits."""
    seen = judging(tmp_path, Policy(Mode.GATE, margin=0.0001, gate=GatePolicy(20.0, undecided)))

    seen.looks(4, 0)
    assert [] == seen.on.cluster.calls
    seen.looks(1, 0)

    assert [call] == seen.on.cluster.calls


def test_a_harmful_canary_does_not_pass_the_gate(tmp_path: Path) -> None:
    """It is aborted, as by `abort`."""
    seen = judging(tmp_path, GATE)

    seen.looks(6, 15)

    assert ["abort"] == seen.on.cluster.calls


def test_a_rollout_that_is_aborted_or_not_paused_is_left_alone(tmp_path: Path) -> None:
    """The gate stands at paused steps only."""
    seen = judging(tmp_path, GATE)
    for status in [at(20, 1), replace(ABORTED, paused=True, step_index=1), replace(at(20, 0), paused=True)]:
        for _ in range(12):
            seen.totals.add("stable", 200, 0)
            seen.totals.add("canary", 50, 0)
            seen.judge.look("canary", status)
            seen.on.clock.sleep(5.0)

    told = seen.judge.told()
    assert told is not None
    assert ("safe", []) == (told.verdict, seen.on.cluster.calls)


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.ADVISE])
def test_off_or_without_counters_it_says_nothing(tmp_path: Path, mode: Mode) -> None:
    """A service that names no counters is not judged."""
    on = stage(tmp_path)
    service = on.ctx.service if mode is Mode.ADVISE else replace(on.ctx.service, counters=COUNTERS)
    judge = CanaryJudge(replace(on.ctx, service=service), "stable", Policy(mode))

    judge.look("canary")

    assert None is judge.told()
