"""The stretches of one weight."""

from __future__ import annotations

from datetime import UTC, datetime

from rollbook.domain.accounting import WeightInterval
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.weights import STEPS_COMPLETE, stretches

T = 1_800_000_000.0


def decision(second: float, name: str, weight: int | None = None) -> Entry:
    data = {} if weight is None else {"weight": weight}
    return Entry(
        1, datetime.fromtimestamp(T + second, UTC), "canary", Kind.DECISION, name, "argo-rollouts", data
    )


def test_each_weight_has_its_stretch() -> None:
    """From the start at 0 to each change; the promotion's swap belongs to no stretch."""
    entries = [
        decision(10, "weight", 20),
        decision(30, "weight", 100),
        decision(40, STEPS_COMPLETE),
        decision(40.2, "weight", 0),
        decision(40.3, "promoted"),
    ]

    assert stretches(entries, start_s=T, end_s=T + 60) == (
        WeightInterval(T, T + 10, 0),
        WeightInterval(T + 10, T + 30, 20),
        WeightInterval(T + 30, T + 40, 100),
    )


def test_after_an_abort_nobody_is_to_reach_the_canary() -> None:
    """The stretch after an abort has weight 0 and lasts to the end of the traffic."""
    entries = [decision(10, "weight", 20), decision(20, "weight", 0), decision(20, "aborted")]

    assert stretches(entries, start_s=T, end_s=T + 30)[-1] == WeightInterval(T + 20, T + 30, 0)


def test_a_stretch_too_short_to_settle_is_left_out() -> None:
    """What lasts hardly longer than the edge takes to follow says nothing."""
    entries = [decision(10, "weight", 20), decision(12, "weight", 50)]

    assert [one.weight for one in stretches(entries, start_s=T, end_s=T + 60)] == [0, 50]


def test_without_traffic_there_is_no_stretch() -> None:
    """No time, no stretch."""
    assert stretches([], start_s=0.0, end_s=0.0) == ()
