"""The judge's looks in the report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollbook.bundle.load import Evidence
from rollbook.bundle.run_record import RunRecord
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.seal import Seal, SealState
from rollbook.report.looks_view import LOOKS_LISTED, looks_view
from rollbook.report.places import Places

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNTS = {"stable_total": 1200, "stable_errors": 1, "canary_total": 40, "canary_errors": 8}
PLACES = Places(Evidence("run", RunRecord(), (), SealState(Seal.OPEN, ""), ()))


def look(number: int, **data: Any) -> Entry:
    """A look, 5 s after the last."""
    told = {"verdict": "harmful", "e_value": 812.5, "p_value": 0.00123, "counts": COUNTS, **data}
    at = START + timedelta(seconds=5 * number)
    return Entry(number + 1, at, "drill", Kind.OBSERVATION, "look", "judge", told)


def test_every_look_has_its_counts() -> None:
    """Second, verdict, counts of both sides and evidence; the last one's words stand above."""
    found = looks_view(
        [look(0, verdict="undecided"), look(1, sentence="It is worse.", warnings=["1 scrape is missing."])],
        START.timestamp(),
        PLACES,
    )

    assert found is not None
    assert ("harmful", "bad", "It is worse.") == (found.verdict, found.tone, found.sentence)
    assert ("1 scrape is missing.",) == found.warnings
    assert ["5", "harmful", "1 of 1,200", "8 of 40"] == [cell.text for cell in found.table.rows[1][:4]]


@pytest.mark.parametrize("broken", [{"counts": None}, {"verdict": 5}, {"counts": {"stable_total": 1}}])
def test_what_is_no_look_is_passed_over(broken: dict[str, Any]) -> None:
    """A journal from elsewhere may hold anything."""
    assert None is looks_view([look(0, **broken)], START.timestamp(), PLACES)


def test_a_long_canary_does_not_fill_the_page() -> None:
    """So many looks are listed, and the rest is counted."""
    found = looks_view([look(number) for number in range(LOOKS_LISTED + 5)], START.timestamp(), PLACES)

    assert found is not None
    assert LOOKS_LISTED == len(found.table.rows)
    assert "5 more in journal.jsonl" in found.table.note


def test_each_metric_has_its_verdict() -> None:
    """Where the journal has them; runs of an earlier version judged errors alone."""
    metrics = {"errors": {"verdict": "safe"}, "p95": {"verdict": "undecided"}, "split": 5}
    found = looks_view([look(0, metrics=metrics), look(1)], START.timestamp(), PLACES)

    assert found is not None
    place = [column.title for column in found.table.columns].index("By metric")
    assert ["errors safe, p95 undecided", "–"] == [row[place].text for row in found.table.rows]
