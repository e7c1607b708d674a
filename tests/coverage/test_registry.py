"""Checks by name, their arguments, and what may not pass for a finding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.coverage.good_world import good

from rollbook.coverage import registry
from rollbook.coverage.lookup import Bundle, NoDataError, failed, judged, proved, refer
from rollbook.coverage.model import Finding, State
from rollbook.coverage.registry import Need, check
from rollbook.coverage.requirement import CheckCall, Kind, Requirement
from rollbook.coverage.requirements_file import load
from rollbook.errors import BadInputError

ROOT = Path(__file__).parents[2]


def requirement(call: CheckCall) -> Requirement:
    return Requirement("R-1A-01", "It.", Kind.EXPLICIT, "1A", "process", "L1", (), "that", (call,), line=12)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that are registered in a test are gone after it."""
    registry.names()
    monkeypatch.setattr(registry, "_known", dict(registry._known))


@pytest.mark.parametrize(
    ("call", "complaint", "advice"),
    [
        (
            CheckCall("rollout.promoted_without_users"),
            "there is no check",
            "Did you mean rollout.promoted_without",
        ),
        (CheckCall("banana"), "there is no check 'banana'", "rollbook coverage --checks"),
        (CheckCall("file.exists"), "argument 'path' of file.exists: field required", "It takes: path."),
        (CheckCall("file.exists", {"path": 7}), "input should be a valid string", "It takes: path."),
        (CheckCall("file.exists", {"path": "a", "text": "b"}), "argument 'text'", "It takes: path."),
        (CheckCall("file.tree", {"paths": "a"}), "argument 'paths", "It takes: paths."),
        (CheckCall("journal.sealed", {"why": 1}), "argument 'why' of journal.sealed", "It takes: none."),
    ],
)
def test_a_wrong_call_is_told_with_its_line_and_what_to_do(
    call: CheckCall, complaint: str, advice: str
) -> None:
    """Names and arguments are checked before anything runs."""
    with pytest.raises(BadInputError) as caught:
        registry.validate(requirement(call))

    assert caught.value.what.startswith("line 12: R-1A-01: ")
    assert complaint in caught.value.what
    assert advice in caught.value.next_step


@pytest.mark.parametrize("paths", [["README.md"], ("README.md",)])
def test_lists_may_be_lists_or_tuples(paths: Sequence[str]) -> None:
    """Arguments come from YAML, from JSON, and from code."""
    registry.validate(requirement(CheckCall("file.tree", {"paths": paths})))


@pytest.mark.parametrize("name", registry.names())
def test_each_check_says_in_a_sentence_what_holds(name: str) -> None:
    """The first line of its docstring is what people read."""
    found = registry.find(name)

    assert found is not None
    assert found.sentence.endswith(".")
    assert len(found.sentence) > 30


def test_the_projects_own_requirements_name_checks_that_exist() -> None:
    """Every check and argument in docs/requirements.yaml is one of ours."""
    for row in load(ROOT / "docs" / "requirements.yaml").requirements:
        registry.validate(row)


@pytest.mark.usefixtures("own")
def test_nothing_is_proved_without_evidence() -> None:
    """A check that says proved or failed and names no file has found nothing."""

    @check("test.says_so")
    def says_so(_bundle: Bundle, holds: bool = True) -> Finding:
        """It holds because it says so itself."""
        return (proved if holds else failed)("It holds.")

    for holds in (True, False):
        found = registry.run(CheckCall("test.says_so", {"holds": holds}), good().bundle())
        assert (State.NO_DATA, "No evidence was named for this: It holds.") == (found.state, found.sentence)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    "error",
    [KeyError("status"), TypeError("no"), ValueError("no"), ZeroDivisionError("no"), RecursionError("no")],
)
def test_a_check_that_trips_over_the_evidence_has_found_nothing(error: Exception) -> None:
    """Evidence of another shape than it should be of is no-data, and neither proof nor a crash."""

    @check("test.trips")
    def trips(_bundle: Bundle) -> Finding:
        """It trips over whatever it reads there."""
        raise error

    found = registry.run(CheckCall("test.trips"), good().bundle())

    assert State.NO_DATA == found.state
    assert type(error).__name__ in found.sentence


@pytest.mark.usefixtures("own")
def test_a_check_whose_need_is_not_met_is_not_exercised() -> None:
    """What the run did not do is said in words."""

    @check("test.needs", needs=Need("film", lambda _bundle: False))
    def needs(bundle: Bundle) -> Finding:
        """It needs a film to say anything at all."""
        return judged(True, "It was shown.", refer(bundle, "run.json", "the film"))

    found = registry.run(CheckCall("test.needs"), good().bundle())

    assert (State.NOT_EXERCISED, "This run had no film.") == (found.state, found.sentence)


@pytest.mark.usefixtures("own")
def test_a_finding_knows_its_check_and_arguments_and_each_file_once() -> None:
    """Whoever reads a finding can call the check again."""

    @check("test.twice")
    def twice(bundle: Bundle, word: str) -> Finding:
        """It names the same file two times over."""
        return proved(f"It says {word}.", refer(bundle, "run.json", "a"), refer(bundle, "run.json", "b"))

    found = registry.run(CheckCall("test.twice", {"word": "yes"}), good().bundle())

    assert ("test.twice", {"word": "yes"}) == (found.check, dict(found.arguments))
    assert ["run.json"] == [ref.path for ref in found.evidence]


@pytest.mark.usefixtures("own")
def test_names_are_taken_once_and_have_a_shape() -> None:
    """Two checks of one name, or a name without a room, are mistakes of ours."""
    with pytest.raises(ValueError, match="registered twice"):
        check("journal.sealed")(lambda _bundle: proved("x"))
    with pytest.raises(ValueError, match="no name for a check"):
        check("Sealed")(lambda _bundle: proved("x"))


def test_what_is_missing_is_named() -> None:
    """A file that a check needs and that is not there ends the check with its name."""
    with pytest.raises(NoDataError, match=r"nowhere\.json is missing"):
        refer(good().bundle(), "nowhere.json", "nothing")
