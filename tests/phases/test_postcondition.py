"""Whether what a phase left behind still holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.phases.fakes import AT_REST, stage

from rollbook.phases.postcondition import drift

OLD, NEW, FAULTY = (f"registry/orders@sha256:{digit * 64}" for digit in "012")
PROVISION = {"name": "provision", "runbook": "provision", "outcome": "passed"}
DEPLOY = {"name": "deploy", "runbook": "deploy", "outcome": "passed", "release": {"reference": OLD}}
CANARY = {
    "name": "canary",
    "runbook": "canary",
    "outcome": "passed",
    "verdict": "promoted",
    "release": {"reference": NEW},
}
DRILL = {
    "name": "drill",
    "runbook": "canary",
    "outcome": "passed",
    "verdict": "rolled-back",
    "release": {"reference": FAULTY},
}
VALIDATE = {"name": "validate", "runbook": "validate", "outcome": "passed"}
CUT_OFF = {**CANARY, "outcome": None, "verdict": None}
TEARDOWN = {"name": "teardown", "runbook": "teardown", "outcome": "passed"}


def found(tmp_path: Path, phase: dict[str, Any], phases: list[dict[str, Any]], running: str) -> str:
    on = stage(tmp_path)
    on.cluster.status = replace(AT_REST, image=running)
    return drift(on.ctx, phase, phases)


@pytest.mark.parametrize(
    ("phase", "phases", "running", "holds"),
    [
        (PROVISION, [PROVISION], OLD, True),
        (DEPLOY, [DEPLOY], OLD, True),
        (DEPLOY, [DEPLOY], NEW, False),
        (DEPLOY, [DEPLOY, CANARY], NEW, True),
        (DEPLOY, [DEPLOY, CUT_OFF], OLD, True),
        (DEPLOY, [DEPLOY, CUT_OFF], NEW, False),
        (CANARY, [DEPLOY, CANARY], NEW, True),
        (CANARY, [DEPLOY, CANARY], OLD, False),
        (DRILL, [DEPLOY, CANARY, DRILL], NEW, True),
        (DRILL, [DEPLOY, CANARY, DRILL], FAULTY, False),
        (DRILL, [DEPLOY, CANARY, DRILL], OLD, False),
        (VALIDATE, [VALIDATE], OLD, False),
        (TEARDOWN, [TEARDOWN], OLD, True),
    ],
)
def test_a_phase_holds_only_if_the_world_is_as_it_left_it(
    tmp_path: Path, phase: dict[str, Any], phases: list[dict[str, Any]], running: str, holds: bool
) -> None:
    """A later release of the same run is no drift; anything else that runs is."""
    assert (found(tmp_path, phase, phases, running) == "") is holds


def test_a_rollout_under_way_is_drift(tmp_path: Path) -> None:
    """Nothing holds while something is rolling out."""
    on = stage(tmp_path)
    on.cluster.status = replace(AT_REST, phase="Progressing", image=OLD, message="waiting")

    assert drift(on.ctx, DEPLOY, [DEPLOY]) == "the Rollout is Progressing: waiting"


def test_a_world_that_cannot_be_asked_is_drift(tmp_path: Path) -> None:
    """Without an answer nothing is known to hold."""
    on = stage(tmp_path)
    on.cluster.broken = True

    assert "the API server is gone" in drift(on.ctx, DEPLOY, [DEPLOY])


def test_a_repository_that_is_gone_is_drift(tmp_path: Path) -> None:
    """Provision is done again when the place for images has gone."""
    on = stage(tmp_path)
    on.ctx.world.cloud.delete_repository("orders")

    assert "the repository orders is gone" == drift(on.ctx, PROVISION, [PROVISION])
