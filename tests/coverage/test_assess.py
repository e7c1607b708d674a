"""From findings to states, and from states to the plan's words."""

from __future__ import annotations

from itertools import permutations

import pytest
from tests.coverage.good_world import good
from tests.coverage.worlds import World

from rollbook.coverage.assess import NO_PINS, WORST_FIRST, assess, delivery_of, worst
from rollbook.coverage.model import Coverage, Delivery, State
from rollbook.coverage.pins import take
from rollbook.coverage.requirement import CheckCall, Decision, Kind, Requirement, Requirements
from rollbook.errors import BadInputError

PROVED, FAILED, IDLE = "journal.sealed", "file.exists", "terraform.plan_clean"
CALLS = {
    PROVED: CheckCall(PROVED),
    FAILED: CheckCall(FAILED, {"path": "nowhere.md"}),
    IDLE: CheckCall(IDLE),
    "no-data": CheckCall("docs.has_toc", {"path": "nowhere.md"}),
}


def requirement(
    *calls: CheckCall, decision: Decision | None = None, artefacts: tuple[str, ...] = ()
) -> Requirement:
    return Requirement(
        "R-1A-01",
        "It works.",
        Kind.EXPLICIT,
        "1A",
        "must-have",
        "L1",
        ("It must.",),
        "that",
        calls,
        artefacts,
        decision,
    )


def judge(one: Requirement, world: World | None = None, files: dict[str, str] | None = None) -> Coverage:
    rows = Requirements("A plan", (one,), ())
    return assess(rows, (world or good()).bundle(), pins=take(rows, files or {}))


def idle(world: World) -> World:
    world.without("terraform")
    return world


def test_the_worst_finding_is_the_state_whatever_the_order() -> None:
    """A requirement is as good as its worst check, and it does not matter which stands first."""
    for order in permutations(WORST_FIRST):
        assert State.FAILED == worst(order)
    for number, state in enumerate(WORST_FIRST):
        assert state == worst(reversed(WORST_FIRST[number:]))
    assert State.NO_DATA == worst([])


@pytest.mark.parametrize(
    ("calls", "state", "told"),
    [
        ((PROVED,), State.PROVED, "The journal is sealed."),
        ((PROVED, IDLE), State.NOT_EXERCISED, "(1 of 2 checks hold.)"),
        ((PROVED, IDLE, "no-data"), State.NO_DATA, "kept no text of nowhere.md"),
        ((IDLE, "no-data", FAILED, PROVED), State.FAILED, "has no nowhere.md"),
        ((), State.NO_DATA, "Nothing checks it."),
    ],
)
def test_a_requirement_is_in_the_worst_state_of_its_findings(
    calls: tuple[str, ...], state: State, told: str
) -> None:
    """One check that does not hold is enough, and the sentence is about it."""
    found = judge(requirement(*(CALLS[name] for name in calls)), idle(good())).results[0]

    assert state == found.state
    assert told in found.sentence
    assert len(calls) == len(found.findings)


@pytest.mark.parametrize(
    ("state", "instead", "emulated", "present", "delivery"),
    [
        (State.PROVED, "", False, False, Delivery.IMPLEMENTED),
        (State.PROVED, "", True, True, Delivery.STUBBED),
        (State.DEFERRED, "a picture", False, False, Delivery.STUBBED),
        (State.DEFERRED, "", False, True, Delivery.SKIPPED),
        (State.SKIPPED, "a picture", False, True, Delivery.SKIPPED),
        (State.FAILED, "", False, True, Delivery.STUBBED),
        (State.FAILED, "", False, False, Delivery.SKIPPED),
        (State.STALE, "", False, True, Delivery.STUBBED),
        (State.NO_DATA, "", False, False, Delivery.SKIPPED),
        (State.NOT_EXERCISED, "", False, True, Delivery.STUBBED),
        (State.NOT_EXERCISED, "", False, False, Delivery.SKIPPED),
    ],
)
def test_only_what_is_proved_and_real_is_implemented(
    state: State, instead: str, emulated: bool, present: bool, delivery: Delivery
) -> None:
    """Stubbed is what stands in or is there unproved, skipped what is not there."""
    decision = Decision("deferred", "No time.", instead) if instead else None

    assert delivery == delivery_of(requirement(decision=decision), state, emulated=emulated, present=present)


def test_a_decision_stands_before_all_checks() -> None:
    """What a person put off is deferred, with the reason and what is there instead."""
    found = judge(
        requirement(CALLS[PROVED], decision=Decision("deferred", "No time.", "A picture."))
    ).results[0]

    assert (State.DEFERRED, "No time. Instead: A picture.", ()) == (
        found.state,
        found.sentence,
        found.findings,
    )


def test_files_that_are_there_without_proof_are_a_stub() -> None:
    """What is written and was not exercised is stubbed; what is not written is skipped."""
    one = requirement(CALLS[IDLE], artefacts=("terraform/",))

    assert Delivery.STUBBED == judge(one, idle(good()), {"terraform/main.tf": "0"}).results[0].delivery
    assert Delivery.SKIPPED == judge(one, idle(good()), {"README.md": "0"}).results[0].delivery


def test_without_pins_nothing_is_proved_and_all_else_stays() -> None:
    """Evidence for which nothing was pinned is no evidence; a decision needs none."""
    rows = Requirements(
        "A plan", (requirement(CALLS[PROVED]), requirement(decision=Decision("skipped", "No."))), ()
    )

    found = assess(rows, good().bundle(), pins=None)

    assert [State.NO_DATA, State.SKIPPED] == [result.state for result in found.results]
    assert (NO_PINS,) == found.notes


def test_what_rests_on_no_evidence_does_not_grow_old() -> None:
    """A requirement that was not exercised is still not exercised after its files were changed."""
    one = requirement(CALLS[IDLE], artefacts=("terraform/",))
    rows = Requirements("A plan", (one,), ())

    found = assess(
        rows,
        idle(good()).bundle(),
        pins=take(rows, {"terraform/main.tf": "0"}),
        now=take(rows, {"terraform/main.tf": "1"}),
    )

    assert State.NOT_EXERCISED == found.results[0].state


def test_a_failure_of_old_evidence_is_stale_and_told() -> None:
    """What failed before it was changed may be mended; nobody knows before the next run."""
    one = requirement(CALLS[FAILED], artefacts=("docs/",))
    rows = Requirements("A plan", (one,), ())
    before = {f"docs/{name}.md": "0" for name in "abcdef"}
    after = dict.fromkeys(before, "1")

    found = assess(rows, good().bundle(), pins=take(rows, before), now=take(rows, after)).results[0]

    assert State.STALE == found.state
    assert "docs/a.md, docs/b.md, docs/c.md and 3 more were changed" in found.sentence
    assert "It was failed then: The project has no nowhere.md." in found.sentence


def test_counts_are_of_states_and_of_words() -> None:
    """Coverage counts its requirements by state and by what became of them."""
    found = judge(requirement(CALLS[PROVED]))

    assert (1, 0) == (found.count(State.PROVED), found.count(State.FAILED))
    assert (1, 0) == (found.delivered(Delivery.IMPLEMENTED), found.delivered(Delivery.STUBBED))
    assert "hello-20260305-093000" == found.run_id


def test_checks_that_do_not_exist_are_refused() -> None:
    """A requirement that names no check of ours is bad input, and not one more that holds."""
    with pytest.raises(BadInputError, match="there is no check"):
        judge(requirement(CheckCall("journal.saeled")))
