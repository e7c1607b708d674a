"""The preflight on AWS' bad days: it ends, says what it could not find out, and changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from tests.aws.faults import Faults
from tests.aws.looks import LOOKS, TOLD
from tests.aws.troubles import PASS, STAY
from tests.aws.verbs import Scene, there
from tests.proxy import Cut

from rollbook.aws.findings import Finding, State
from rollbook.aws.preflight import ENDPOINTS
from rollbook.commands.findings import exit_code
from rollbook.errors import ExitCode

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("quick")]


def by_state(findings: tuple[Finding, ...]) -> dict[str, State]:
    return {one.name: one.state for one in findings}


@pytest.mark.parametrize("look", TOLD)
def test_what_could_not_be_asked_is_told(look: str, faults: Faults, scenes: Callable[[], Scene]) -> None:
    """What AWS said and what to do are in a finding; exit code 4, unless only the permission is missing."""
    assert {State.FAIL} - set(by_state(LOOKS[look](scenes())).values()) or look == "permissions"
    before = there(scenes().direct)
    for operation, (trouble, (fault, why, next_step)) in itertools.product(TOLD[look], STAY.items()):
        faults.put(operation, fault)
        scene = scenes()
        found = LOOKS[look](scene)
        told = [one for one in found if why in one.detail]
        denied = trouble == "access denied" and operation != "GetCallerIdentity"
        case = (operation, trouble, told)
        assert {State.NOT_CHECKED if denied else State.FAIL} == {one.state for one in told}, case
        assert [] == [one for one in told if next_step not in one.next_step], case
        assert denied or ExitCode.ENVIRONMENT_FAILED is exit_code(found), case
        assert before == there(scene.direct), case


@pytest.mark.parametrize("look", TOLD)
def test_what_passes_changes_no_finding(look: str, faults: Faults, scenes: Callable[[], Scene]) -> None:
    """A call that is throttled, or whose answer is lost, is made again."""
    good = by_state(LOOKS[look](scenes()))
    for operation, trouble in itertools.product(TOLD[look], ("throttled twice", "an answer lost")):
        fault, times = PASS[trouble]
        faults.put(operation, fault, times)
        assert good == by_state(LOOKS[look](scenes())), (operation, trouble)
        assert times == sum(one.refused for one in faults.seen), (operation, trouble)


def test_an_endpoint_that_is_cut_off_is_named(faults: Faults, scenes: Callable[[], Scene]) -> None:
    """Any answer shows that a service can be reached, a refusal too; none at all is told."""
    operations = {
        service: "".join(word.capitalize() for word in method.split("_"))
        for service, (method, _) in ENDPOINTS.items()
    }
    for service, operation in operations.items():
        faults.put(operation, Cut())
        (reached,) = (one for one in LOOKS["preflight"](scenes()) if one.name == "endpoints")
        assert (State.FAIL, True) == (reached.state, f"{service} (" in reached.detail), service
        assert "Check the network" in reached.next_step
    faults.put("ListKeys", STAY["access denied"][0])
    (reached,) = (one for one in LOOKS["preflight"](scenes()) if one.name == "endpoints")
    assert State.OK is reached.state


def test_a_cluster_that_cannot_be_seen_is_not_called_missing(
    faults: Faults, scenes: Callable[[], Scene]
) -> None:
    """Without permission to describe it, its tags are not checked."""
    faults.put("DescribeCluster", STAY["access denied"][0])
    (tags,) = (one for one in LOOKS["preflight"](scenes()) if one.name == "owner and expiry")

    assert State.NOT_CHECKED is tags.state
    assert "can be seen" in tags.detail
