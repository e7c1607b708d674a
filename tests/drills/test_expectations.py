"""What a drill stated, against what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollbook.domain.drill import AlertMeasured, AlertWanted, Drill, EndedBy, Measured, Must
from rollbook.drills.expectations import expectations

ALERT = AlertMeasured("RolloutAborted", 12.0, 80.0, "docs/runbooks/RolloutAborted.md", {}, "tickets")
HELD = AlertMeasured(
    "Fails", None, 70.0, "docs/runbooks/Fails.md", {}, "", (), 25.0, ("RolloutAbortedRecently",)
)
BAD = Drill(
    name="errors",
    what="one request in five fails",
    fault="errors",
    must=Must(
        end="rolled-back",
        by=(EndedBy.JUDGE, EndedBy.ANALYSIS),
        detect_s=15.0,
        failed_share=0.03,
        causes=("app-error",),
        never_judged=("safe",),
        alerts=(AlertWanted("RolloutAborted", 60.0), AlertWanted("Fails", 30.0, or_held_back=True)),
    ),
)
SENT_BACK = Measured(
    end="rolled-back",
    ended_by=EndedBy.JUDGE,
    sent=1000,
    failed=10,
    failed_by_stable=0,
    by_cause={"app-error": 10},
    served=100,
    time_to_detect_s=4.0,
    time_to_roll_back_s=0.4,
    longest_in_flight_s=0.01,
    judged=("undecided", "harmful"),
    alerts=(ALERT, HELD),
    others=(),
)
GOOD = Drill(
    "healthy", "a good version", "", Must(end="promoted", failed_share=0.0, never_judged=("harmful",))
)
PROMOTED = replace(
    SENT_BACK,
    end="promoted",
    ended_by=None,
    failed=0,
    by_cause={},
    time_to_detect_s=None,
    time_to_roll_back_s=None,
    judged=("undecided", "safe"),
    alerts=(),
)


def broken(drill: Drill, found: Measured) -> list[str]:
    """Names of the rows that do not hold."""
    return [row.name for row in expectations(drill, found) if not row.passed]


@pytest.mark.parametrize(("drill", "found"), [(BAD, SENT_BACK), (GOOD, PROMOTED)])
def test_what_came_as_stated_passes(drill: Drill, found: Measured) -> None:
    """Every row holds when each measure is within what was stated."""
    assert [] == broken(drill, found)


@pytest.mark.parametrize(
    ("changed", "row"),
    [
        ({"end": "promoted"}, "end"),
        ({"ended_by": EndedBy.TIME_LIMIT}, "ended by"),
        ({"ended_by": None}, "ended by"),
        ({"time_to_detect_s": 15.1}, "time to detect"),
        ({"time_to_detect_s": None}, "time to detect"),
        ({"time_to_roll_back_s": 3.02}, "time to roll back"),
        ({"failed": 31}, "failed requests"),
        ({"sent": 0, "failed": 0}, "failed requests"),
        ({"failed_by_stable": 1}, "stable's users"),
        ({"by_cause": {"app-error": 9, "reset": 1}}, "causes"),
        ({"judged": ("undecided", "safe")}, "judge"),
        ({"judged": ()}, "judge"),
        ({"alerts": (replace(ALERT, received_after_s=61.0), HELD)}, "alert RolloutAborted"),
        ({"alerts": (replace(ALERT, runbook_url=""), HELD)}, "alert RolloutAborted"),
        ({"alerts": (replace(ALERT, resolved_after_s=None), HELD)}, "end of RolloutAborted"),
        ({"alerts": (ALERT, replace(HELD, held_back_after_s=31.0))}, "alert Fails"),
        ({"alerts": (ALERT, replace(HELD, held_back_by=()))}, "alert Fails"),
        ({"alerts": (ALERT, replace(HELD, resolved_after_s=None))}, "end of Fails"),
    ],
)
def test_one_measure_beyond_what_was_stated_is_one_row(changed: dict[str, object], row: str) -> None:
    """Each statement is held against its own measure and no other."""
    assert [row] == broken(BAD, replace(SENT_BACK, **changed))


def test_no_alert_is_two_rows() -> None:
    """Without its alert a drill has neither been told nor been told of its end."""
    assert ["alert RolloutAborted", "end of RolloutAborted"] == broken(
        BAD, replace(SENT_BACK, alerts=(HELD,))
    )


def test_an_alert_that_must_be_received_may_not_be_held_back() -> None:
    """What Alertmanager holds back counts only where the drill says so."""
    held = replace(HELD, name="RolloutAborted")

    assert ["alert RolloutAborted"] == broken(BAD, replace(SENT_BACK, alerts=(held, HELD)))


def test_an_alert_may_come_before_the_abort() -> None:
    """One that tells of the fault itself counts, and its row says when it came."""
    early = replace(SENT_BACK, alerts=(ALERT, replace(HELD, received_after_s=-2.0, held_back_by=())))

    assert [] == broken(BAD, early)
    (row,) = (row for row in expectations(BAD, early) if row.name == "alert Fails")
    assert row.got.startswith("2.0 s before the abort, by ")


def test_a_long_request_in_flight_is_waited_for() -> None:
    """The time to roll back may be three seconds more than the longest request at the abort."""
    slow = replace(SENT_BACK, time_to_roll_back_s=4.9)

    assert ["time to roll back"] == broken(BAD, slow)
    assert [] == broken(BAD, replace(slow, longest_in_flight_s=2.0))


@pytest.mark.parametrize("end", ["paused", "timed-out"])
def test_what_rollbook_brings_back_is_back(end: str) -> None:
    """A rollout that was stopped because nothing could be told of it is on stable as well."""
    assert "end" not in broken(BAD, replace(SENT_BACK, end=end))


@pytest.mark.parametrize(
    ("changed", "row"),
    [
        ({"failed": 1}, "failed requests"),
        ({"judged": ("harmful",)}, "judge"),
        ({"others": ("HelloSlow",)}, "no alert"),
        ({"end": "rolled-back"}, "end"),
    ],
)
def test_a_good_version_that_is_troubled_is_told(changed: dict[str, object], row: str) -> None:
    """A good version is promoted, with no failed request, no alert, and never called harmful."""
    assert [row] == broken(GOOD, replace(PROMOTED, **changed))
