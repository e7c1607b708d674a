"""A/B tests in the report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollbook.bundle.load import Evidence
from rollbook.bundle.run_record import PhaseRecord, RunRecord
from rollbook.domain.judging import EXPERIMENT_JUDGED, EXPERIMENT_LOOK
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.seal import Seal, SealState
from rollbook.report.experiment_figure import experiment_figure
from rollbook.report.experiment_view import LOOKS_LISTED, POINTS_DRAWN, ExperimentView, experiment_views
from rollbook.report.places import Places

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLACES = Places(Evidence("run", RunRecord(), (), SealState(Seal.OPEN, ""), ()))
PHASE = PhaseRecord(name="ab", runbook="experiment", outcome="passed", sentence="b won.")


def entry(number: int, kind: Kind, name: str, source: str, **data: Any) -> Entry:
    return Entry(number + 1, START + timedelta(seconds=number), "ab", kind, name, source, data)


def told(number: int, **more: Any) -> dict[str, Any]:
    """A look as the phase writes it."""
    arms = {
        name: {"users": 10 * number, "conversions": number * each, "low": 0.1, "high": 0.4}
        for name, each in (("a", 2), ("b", 3))
    }
    figures = {"e_a": 0.1, "e_b": 41.0, "e_within": 0.5, "low": -0.1, "high": 0.3, "first_s": 7.0}
    return {"at_s": float(number), "verdict": "b", **arms, **figures, "alpha": 0.05, "effect": 0.03, **more}


def look(number: int, **more: Any) -> Entry:
    return entry(number, Kind.OBSERVATION, EXPERIMENT_LOOK, "judge", **told(number, **more))


def view(*entries: Entry, phase: PhaseRecord = PHASE) -> ExperimentView:
    [found] = experiment_views([phase], entries, PLACES)
    return found


def test_an_experiment_has_its_variants_and_its_verdict() -> None:
    """Versions from the plan, counts from the last word of the judge, and how it was judged in words."""
    plan = entry(0, Kind.STEP, "plan", "rollbook", a="1.0.0", b="1.1.0", rates=[0.2, 0.3])
    judged = entry(9, Kind.DECISION, EXPERIMENT_JUDGED, "judge", **told(9))

    found = view(plan, look(1), look(8), judged)

    assert ("b converts more", "good", "b won.") == (found.verdict, found.tone, found.sentence)
    assert found.variants is not None
    assert [["a", "1.0.0", "90", "18"], ["b", "1.1.0", "90", "27"]] == [
        [cell.text for cell in row[:4]] for row in found.variants.rows
    ]
    assert "Users are simulated" in found.how
    assert "The verdict fell at second 7." in found.how
    assert [2, 2] == [len(line.points) for line in found.lines]


def test_an_experiment_that_came_to_nothing_says_so() -> None:
    """Without a look there is no verdict, no table and no figure; a phase that was skipped is left out."""
    found = view()

    assert ("", None, None, ()) == (found.verdict, found.variants, found.looks, found.lines)
    assert () == experiment_views([PhaseRecord(runbook="experiment", outcome="skipped")], (), PLACES)


@pytest.mark.parametrize(
    "broken", [{"a": 5}, {"alpha": 0}, {"verdict": None}, {"e_a": float("nan")}, {"b": {"users": -1}}]
)
def test_what_is_no_look_is_passed_over(broken: dict[str, Any]) -> None:
    """A journal from elsewhere may hold anything."""
    assert "" == view(look(1, **broken)).verdict


def test_a_long_experiment_does_not_fill_the_page() -> None:
    """So many looks are listed, the rest is counted, and the figure has fewer points."""
    found = view(*(look(number) for number in range(1, 1001)))

    assert found.looks is not None
    assert LOOKS_LISTED == len(found.looks.rows)
    assert "And 880 more in journal.jsonl." == found.looks.note
    assert all(len(line.points) <= POINTS_DRAWN for line in found.lines)


def test_the_figure_has_two_forms() -> None:
    """One for a wide page and one for a phone, of one look as of many."""
    for count in (1, 30):
        lines = view(*(look(number) for number in range(1, 1 + count))).lines
        drawn = experiment_figure(lines, anchor="x0", description="b won.")

        assert drawn.wide.startswith("<svg")
        assert drawn.narrow.startswith("<svg")
