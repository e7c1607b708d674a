"""Rules over many canaries."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.replay.made import ended, steady

from rollbook.replay.course import Course, Happened
from rollbook.replay.rules import Decision
from rollbook.replay.summary import Outcome, Replayed, outcome, summarise

GOOD, BAD = steady(), steady(errors=0.2)
PROMOTED, ABORTED = ended(BAD, "promote", 30.0), ended(BAD, "abort", 30.0)


def said(does: str, after_s: float | None = None, *, kind: str = "judge") -> Decision:
    return Decision("rule", kind, does, after_s, None, 100, 7, "", None, "requests")


@pytest.mark.parametrize(
    ("course", "decision", "expected"),
    [
        (BAD, said("abort", 5.0), Outcome.DETECTED),
        (GOOD, said("abort", 5.0), Outcome.FALSE_ALARM),
        (GOOD, said(""), Outcome.LET_GO),
        (PROMOTED, said(""), Outcome.MISSED),
        (ABORTED, said(""), Outcome.UNKNOWN),
        (ended(GOOD, "abort", 30.0), said(""), Outcome.UNKNOWN),
        (GOOD, said("pause", 5.0), Outcome.HELD),
        (BAD, said("pause", 5.0), Outcome.HELD),
        (ended(GOOD, "abort", 30.0), said("abort", 30.0, kind="happened"), Outcome.FALSE_ALARM),
        (PROMOTED, said("promote", 30.0, kind="happened"), Outcome.MISSED),
        (replace(GOOD, faulty=None), said("abort", 5.0), None),
    ],
)
def test_what_a_decision_is_worth(course: Course, decision: Decision, expected: Outcome | None) -> None:
    """Silence when somebody else ended the canary is neither right nor wrong."""
    assert expected == outcome(course, decision)


def test_a_table_of_rules() -> None:
    """Counts of each kind; what was not detected counts as later than anything."""
    found = [
        Replayed(GOOD, (said(""),)),
        Replayed(GOOD, (said("abort", 9.0),)),
        Replayed(BAD, (said("abort", 5.0),)),
        Replayed(BAD, (said("abort", 15.0),)),
        Replayed(PROMOTED, (said(""),)),
    ]
    [rule] = summarise(found)

    assert (2, 1, 3, 2, 1, 0, 0) == (
        rule.good,
        rule.false_alarms,
        rule.faulty,
        rule.detected,
        rule.missed,
        rule.held,
        rule.unknown,
    )
    assert (15.0, 21, 300) == (rule.median_s, rule.failed, rule.answers)


def test_a_median_that_is_a_miss_is_none() -> None:
    """One detected of two: no time can be given."""
    [rule] = summarise([Replayed(BAD, (said("abort", 5.0),)), Replayed(ABORTED, (said(""),))])

    assert (1, 1, None) == (rule.detected, rule.unknown, rule.median_s)


def test_where_nobody_knows_what_was_faulty_there_is_no_table() -> None:
    """A team's own history has decisions, and no score."""
    assert () == summarise([Replayed(replace(GOOD, faulty=None, happened=Happened()), (said(""),))])
