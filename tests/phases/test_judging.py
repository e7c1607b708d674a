"""The judge in a canary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.phases.fakes import Stage, stage

from rollbook.errors import EnvironmentFailedError
from rollbook.phases.judging import CanaryJudge, Mode, Policy

COUNTERS = {"requests": 'requests{hash="$hash"}', "errors": 'errors{hash="$hash"}'}


@dataclass
class Totals:
    """Prometheus that knows running totals by query; `away` answers nothing."""

    found: dict[str, float] = field(default_factory=dict)
    away: bool = False

    def instant(self, query: str) -> float | None:
        if self.away:
            raise EnvironmentFailedError("no answer from Prometheus")
        return self.found.get(query)

    def add(self, side: str, requests: int, errors: int) -> None:
        """More requests of a side, and how many of them failed."""
        for name, number in (("requests", requests), ("errors", errors)):
            query = COUNTERS[name].replace("$hash", side)
            self.found[query] = self.found.get(query, 0.0) + number


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
            self.judge.look("canary")
            self.on.clock.sleep(5.0)

    def entries(self, kind: str) -> list[str]:
        """Names of the judge's entries of a kind."""
        entries = self.on.ctx.journal.entries()
        return [one.name for one in entries if one.source == "judge" and one.kind.value == kind]


def judging(tmp_path: Path, policy: Policy) -> Judging:
    """A judge of a service with counters."""
    on, totals = stage(tmp_path), Totals()
    service = replace(on.ctx.service, counters=COUNTERS)
    ctx = replace(on.ctx, service=service, world=replace(on.ctx.world, metrics=totals))
    return Judging(on, totals, CanaryJudge(ctx, "stable", policy))


def test_a_healthy_canary_becomes_safe(tmp_path: Path) -> None:
    """It is undecided first, and safe when enough is known; nothing is done about it."""
    at = judging(tmp_path, Policy(Mode.ABORT, margin=0.05))

    at.looks(40, 0)

    told = at.judge.told()
    assert told is not None
    assert ("safe", 40, None) == (told.verdict, told.looks, told.first_harmful_s)
    assert ["judge: undecided", "judge: safe"] == at.entries("decision")
    assert 40 == len(at.entries("observation"))
    assert [] == at.on.cluster.calls


@pytest.mark.parametrize(("mode", "verbs"), [(Mode.ADVISE, []), (Mode.ABORT, ["abort"])])
def test_a_harmful_canary_is_told_and_aborted_only_if_that_is_allowed(
    tmp_path: Path, mode: Mode, verbs: list[str]
) -> None:
    """By `advise` Argo decides; by `abort` the Rollout is aborted once."""
    at = judging(tmp_path, Policy(mode))

    at.looks(6, 10)

    told = at.judge.told()
    assert told is not None
    assert "harmful" == told.verdict
    assert told.first_harmful_s is not None
    assert told.first_harmful_s <= 15.0
    assert verbs == at.on.cluster.calls
    assert bool(verbs) is at.judge.aborted


def test_without_prometheus_nothing_is_called_safe(tmp_path: Path) -> None:
    """While it is away there is no new verdict, and the missing scrapes are told."""
    at = judging(tmp_path, Policy(Mode.ABORT))
    at.totals.away = True

    at.looks(10, 0)

    told = at.judge.told()
    assert told is not None
    assert "no-data" == told.verdict
    assert any("10 scrape(s) are missing" in one for one in told.warnings)


def test_it_looks_only_when_it_is_time_and_there_is_a_canary(tmp_path: Path) -> None:
    """The follower calls it each second."""
    at = judging(tmp_path, Policy())
    at.judge.look("")
    at.totals.add("stable", 100, 0)
    for _ in range(7):
        at.judge.look("canary")
        at.on.clock.sleep(1.0)

    told = at.judge.told()
    assert told is not None
    assert 4 == told.looks


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.ADVISE])
def test_off_or_without_counters_it_says_nothing(tmp_path: Path, mode: Mode) -> None:
    """A service that names no counters is not judged."""
    on = stage(tmp_path)
    service = on.ctx.service if mode is Mode.ADVISE else replace(on.ctx.service, counters=COUNTERS)
    judge = CanaryJudge(replace(on.ctx, service=service), "stable", Policy(mode))

    judge.look("canary")

    assert None is judge.told()
