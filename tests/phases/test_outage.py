"""A cluster that is away for a moment, and one that stays away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.phases.fakes import PROMOTED, UNDER_WAY, FakeCluster, Stage, at, image, stage

from rollbook.domain.release import Verdict
from rollbook.domain.rollout import PodStatus, RolloutStatus
from rollbook.errors import EnvironmentFailedError, NotFoundError
from rollbook.phases import canary, planning
from rollbook.phases.outage import AGAIN_S, LONGEST_S, Outage
from rollbook.phases.wayback import back_to_stable

AWAY = EnvironmentFailedError("the API server is gone")


def answering_after(seconds: float, on: Stage) -> Callable[[], str]:
    """A question that gets no answer for so long."""

    def ask() -> str:
        if on.clock.monotonic() < seconds:
            raise AWAY
        return "here"

    return ask


def told(on: Stage) -> list[tuple[str, object]]:
    return [(entry.name, entry.data.get("away_s")) for entry in on.ctx.journal.entries()]


def test_a_short_outage_is_put_up_with(tmp_path: Path) -> None:
    """The answer comes after a while, and the journal has from when to when there was none."""
    on = stage(tmp_path)

    answer = Outage(on.ctx).ask(answering_after(5.0, on))

    assert answer == "here"
    assert told(on) == [("cluster away", None), ("cluster back", 5.0)]


def test_a_long_outage_raises_what_was_said_last(tmp_path: Path) -> None:
    """Somebody has to be told in the end, and not long after the limit."""
    on = stage(tmp_path)

    with pytest.raises(EnvironmentFailedError, match="gone"):
        Outage(on.ctx).ask(answering_after(3600.0, on))
    assert LONGEST_S <= on.clock.monotonic() <= LONGEST_S + AGAIN_S


def test_two_short_outages_are_not_one_long_one(tmp_path: Path) -> None:
    """An answer in between starts the count again."""
    on = stage(tmp_path)
    outage = Outage(on.ctx, quiet=True)
    outage.goes_on(AWAY)
    on.clock.sleep(LONGEST_S - 1)
    outage.over()
    on.clock.sleep(LONGEST_S)

    outage.goes_on(AWAY)

    assert told(on) == []


def test_what_is_not_there_is_not_waited_for(tmp_path: Path) -> None:
    """A cluster that says that something is missing has answered."""
    on = stage(tmp_path)

    with pytest.raises(NotFoundError):
        Outage(on.ctx).goes_on(NotFoundError("no Rollout"))
    assert on.clock.monotonic() == 0.0


def test_users_are_brought_back_when_the_journal_cannot_be_written(tmp_path: Path) -> None:
    """A full disk must not keep users on the new version."""
    on = stage(tmp_path)
    on.cluster.status = at(20, 1)
    on.ctx.journal.path.mkdir()

    assert back_to_stable(on.ctx, "test") is True
    assert on.cluster.calls == ["abort", "undo"]


@dataclass
class BlinkingCluster(FakeCluster):
    """A cluster whose first watch, and the looks before `back_s`, get no answer."""

    back_s: float = 0.0
    watches: int = 0

    def watch_rollout(self, namespace: str, name: str, *, timeout_s: float) -> Iterator[RolloutStatus]:
        self.watches += 1
        if self.watches == 1:
            raise AWAY
        yield from super().watch_rollout(namespace, name, timeout_s=timeout_s)

    def pods(self, namespace: str, selector: str) -> tuple[PodStatus, ...]:
        self.back_s = self.back_s or self.clock.monotonic() + 3.0
        if self.clock.monotonic() < self.back_s:
            raise AWAY
        return super().pods(namespace, selector)


def test_a_release_outlives_a_short_outage(tmp_path: Path) -> None:
    """The watch breaks at the start, the cluster is away again at the end: the verdict is still told."""
    on = stage(tmp_path)
    cluster = BlinkingCluster(on.clock, (UNDER_WAY, at(20, 1), PROMOTED), overlay=on.cluster.overlay)
    ctx = replace(on.ctx, world=replace(on.ctx.world, cluster=cluster))
    planned = planning.plan(ctx, version="", fault="")
    timings = canary.Timings(lead_s=1.0, drain_s=5.0)

    with canary.users_and_rollout(ctx, planned, image(), rps=50, timings=timings) as rollout:
        outcome = rollout.watch()

    assert outcome.verdict is Verdict.PROMOTED
    assert [name for name, _ in told(on) if name.startswith("cluster")] == [
        "cluster away",
        "cluster back",
    ] * 2


def test_a_question_that_hangs_counts_from_when_it_was_asked(tmp_path: Path) -> None:
    """A cluster that takes minutes to fail is not asked again and again."""
    on = stage(tmp_path)
    asked = 0

    def ask() -> str:
        nonlocal asked
        asked += 1
        on.clock.sleep(150.0)
        raise AWAY

    with pytest.raises(EnvironmentFailedError, match="gone"):
        Outage(on.ctx).ask(ask)
    assert asked == 1
