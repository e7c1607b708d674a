"""Drills as phases of a run, and the project's own file of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.domain.drill import AlertWanted
from rollbook.drills.plan import chosen, plan_of
from rollbook.errors import BadInputError
from rollbook.notebook.parameters import MODELS, validated
from rollbook.settings import drills_file, service_file

PROJECT = Path(__file__).parents[2]
DRILLS = drills_file.load(PROJECT / "drills.yaml")
ONE = """drills:
  errors:
    what: one request in five fails
    fault: errors
    must:
      end: rolled-back
"""


def test_every_drill_releases_a_fault_that_there_is() -> None:
    """Each fault of a drill is one of the service's, and each fault of the service has its drill."""
    service = service_file.load(PROJECT / "service.yaml")

    assert PROJECT / "drills.yaml" == service.drills
    assert set(service.faults) == {drill.fault for drill in DRILLS if drill.fault}


def test_every_alert_of_a_drill_has_a_rule() -> None:
    """A drill waits only for alerts that the rules of the project have."""
    rules = "\n".join(path.read_text() for path in (PROJECT / "monitoring" / "rules").glob("*.yaml"))

    assert [] == [
        f"{drill.name}: {alert.name}"
        for drill in DRILLS
        for alert in drill.must.alerts
        if f"alert: {alert.name}\n" not in rules
    ]


def test_every_bad_release_is_told_of() -> None:
    """Each drill with a fault waits for the alert of its abort, and the good version for none."""
    told = {drill.name: [alert.name for alert in drill.must.alerts] for drill in DRILLS}

    assert [] == told.pop("healthy")
    assert {"RolloutAborted"} == {names[0] for names in told.values()}


def test_one_alert_is_written_as_before(tmp_path: Path) -> None:
    """A file with `alert` alone says what it said; with `alerts` beside it both are waited for."""
    path = tmp_path / "drills.yaml"
    path.write_text(
        f"{ONE}      alert: {{ name: A, within: 5 }}\n"
        "      alerts: [{ name: B, within: 6, or-held-back: true }]\n"
    )

    (drill,) = drills_file.load(path)
    assert (AlertWanted("A", 5.0), AlertWanted("B", 6.0, or_held_back=True)) == drill.must.alerts


def test_all_is_each_once_after_a_baseline() -> None:
    """`all` is provision, deploy, and each drill as a canary that later ones do not depend on."""
    plan = plan_of(chosen(DRILLS, ["all"]))

    assert ["provision", "deploy", *(f"drill-{drill.name}" for drill in DRILLS)] == [
        phase.label for phase in plan.phases
    ]
    assert [False, False] + [True] * len(DRILLS) == [phase.independent for phase in plan.phases]


def test_the_parameters_of_drills_are_those_of_the_runbook() -> None:
    """What a drill sets can be set."""
    for phase in plan_of(DRILLS).phases:
        validated(MODELS[phase.phase], phase.parameters, phase.label)


def test_rounds_are_told_apart() -> None:
    """Two rounds of one drill are two phases of different names."""
    plan = plan_of(chosen(DRILLS, ["errors"]), rounds=2)

    assert ["drill-errors-1", "drill-errors-2"] == [phase.label for phase in plan.phases[2:]]


def test_an_unknown_drill_is_told_with_the_known_ones() -> None:
    """A misspelt name is refused, and the names are given."""
    with pytest.raises(BadInputError, match="no drill 'eror'") as told:
        chosen(DRILLS, ["errors", "eror"])
    assert "many-errors" in told.value.next_step


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("end: rolled-back", "end: back", r"line 6: drills.errors.must.end"),
        ("    fault: errors\n", "    faults: errors\n", r"line 4: drills.errors.faults"),
        (
            "end: rolled-back",
            "end: promoted\n      detect: 5",
            r"line 7.*a version that is promoted has no detect",
        ),
        ("end: rolled-back", "end: rolled-back\n      failed: 2", r"line 7: drills.errors.must.failed"),
        (
            "end: rolled-back",
            "end: rolled-back\n      alert: {name: A, within: 5}\n      alerts: [{name: A, within: 6}]",
            r"the alert A is asked for twice",
        ),
        ("  errors:\n", "  Errors:\n", r"line 2: drills.Errors"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, before: str, after: str, said: str) -> None:
    """A file that says what cannot be is refused at the line that says it."""
    path = tmp_path / "drills.yaml"
    path.write_text(ONE.replace(before, after))

    with pytest.raises(BadInputError, match=said):
        drills_file.load(path)
