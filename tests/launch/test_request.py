"""A request is checked as a whole before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.domain.target import TargetSpec
from rollbook.errors import BadInputError
from rollbook.launch.request import Request, check
from rollbook.notebook.parameters import CanaryParameters

PROJECT = Path(__file__).resolve().parents[2]


def test_the_default_plan_is_a_good_canary_and_a_drill() -> None:
    """With no argument: provision, deploy, a canary to be promoted, a drill to be rolled back, validate."""
    checked = check(Request(), PROJECT)

    assert [phase.name for phase in checked.phases] == ["provision", "deploy", "canary", "drill", "validate"]
    assert [phase.expect for phase in checked.phases] == ["", "", "promoted", "rolled-back", ""]


def test_set_reaches_every_phase_that_takes_it() -> None:
    """`--set rps=20` sets both canaries; `--set drill.rps=20` sets one."""

    def rps(*sets: str) -> list[float]:
        phases = check(Request(sets=sets), PROJECT).phases
        return [one.parameters.rps for one in phases if isinstance(one.parameters, CanaryParameters)]

    assert rps("rps=20") == [20.0, 20.0]
    assert rps("drill.rps=20") == [50.0, 20.0]
    assert rps("drill.rps=20", "rps=30") == [30.0, 20.0]


def test_a_runbook_that_the_plan_lacks_comes_where_a_release_has_it() -> None:
    """An experiment comes before the canary that it decides on, and teardown last."""

    def names(*phases: str) -> list[str]:
        return [phase.name for phase in check(Request(phases=phases), PROJECT).phases]

    assert ["deploy", "experiment", "canary"] == names("canary", "experiment", "deploy")
    assert ["canary", "drill", "validate", "teardown"] == names("teardown", "drill", "canary", "validate")
    assert ["experiment"] == names("experiment")


def test_a_version_stays_text() -> None:
    """`--set version=1.10` is version 1.10, not the number 1.1."""
    checked = check(Request(phases=("canary",), sets=("version=1.10",)), PROJECT)

    assert checked.phases[0].parameters.model_dump()["version"] == "1.10"


def test_a_phase_has_a_deadline(tmp_path: Path) -> None:
    """The plan's own comes first, then that of the request, then the phase's time limit and half an hour."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "phases:\n- phase: deploy\n- phase: canary\n  deadline_s: 60\n  cell_deadline_s: 30\n"
        "- phase: validate\n"
    )

    def deadlines(request: Request) -> list[tuple[float, float | None]]:
        return [(phase.deadline_s, phase.cell_deadline_s) for phase in check(request, PROJECT).phases]

    assert [(1920.0, None), (60.0, 30.0), (1800.0, None)] == deadlines(Request(plan=plan))
    assert [(90.0, None), (60.0, 30.0), (90.0, None)] == deadlines(Request(plan=plan, deadline_s=90.0))


def test_an_account_keeps_its_leading_zero() -> None:
    """`--set account=012345678901` is that text, of twelve digits."""
    checked = check(Request(phases=("provision",), sets=("account=012345678901",)), PROJECT)

    assert "012345678901" == checked.phases[0].parameters.model_dump()["account"]


def test_a_secret_that_is_set_is_not_printed() -> None:
    """What looks like a secret is refused in words that do not hold it, under a known name or another."""
    secret = "AKIA" + "Q3EXAMPLE7RTLX2B"
    for name in ("fault", "nope"):
        with pytest.raises(BadInputError) as caught:
            check(Request(sets=(f"{name}={secret}",)), PROJECT)
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Request(TargetSpec("mars")), "unknown target 'mars'"),
        (Request(phases=("canry",)), "--phase canry: there is no such phase"),
        (Request(sets=("rps",)), "--set rps: it must be name=value"),
        (Request(sets=("rpm=5",)), "--set rpm: no chosen phase takes rpm"),
        (Request(sets=("canry.rps=5",)), "--set canry.rps: no chosen phase is called 'canry'"),
        (
            Request(sets=("deploy.rps=5",)),
            "--set deploy.rps: no chosen phase takes rps. They take: digest, probes,",
        ),
        (Request(sets=("rps=5", "rps=6")), "--set rps: it is set twice"),
        (Request(sets=("probes=1.5",)), "phase deploy: probes: Input should be a valid integer"),
        (Request(sets=("account=12345",)), "phase provision: account: String should match pattern"),
        (Request(phases=("teardown",), sets=("registry=no",)), "(got 'no'): write true or false"),
        (Request(sets=("rps=many",)), "phase canary: rps: Input should be a valid number"),
        (Request(sets=("rps=-1",)), "phase canary: rps: Input should be greater than 0"),
        (Request(sets=("rps=nan",)), "phase canary: rps"),
        (Request(sets=("fault=typo",)), "names no fault 'typo'"),
        (Request(sets=("expect=good",)), "phase canary: expect"),
        (Request(sets=("run=x",)), "run has an option of its own"),
        (Request(sets=("version=../../etc",)), "phase deploy: version"),
        (Request(service="nowhere.yaml"), "there is no nowhere.yaml"),
        (Request(plan=PROJECT / "nowhere.yaml"), "there is no file"),
        (Request(plan=PROJECT), "cannot be read"),
        (Request(out=PROJECT / "README.md"), "is a file"),
    ],
)
def test_bad_input_is_refused_in_one_line(request_: Request, complaint: str) -> None:
    """Every kind of bad request is refused with the place and the fix, before anything runs."""
    with pytest.raises(BadInputError) as caught:
        check(request_, PROJECT)

    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
