"""The file of requirements: what it holds, and how it complains."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.coverage.requirement import CheckCall, Decision, Kind
from rollbook.coverage.requirements_file import load, loads
from rollbook.coverage.requirements_model import lines_of, spans_of
from rollbook.errors import BadInputError, ExitCode

SMALL = f"""source: {{title: A plan, sha256: "{"0" * 64}", lines: 4, silent: [L1]}}
retired: [R-0-09]
requirements:
  - id: R-0-01
    text: Users are served.
    kind: explicit
    step: "0"
    layer: must-have
    source: L2-L3
    implications: [It needs an edge.]
    via: the edge
    artefacts: [app/*.py]
    checks:
      - service.answers
      - file.exists: {{path: a.txt}}
  - id: R-7-01
    text: There is a film.
    kind: bonus
    step: "7"
    layer: flair
    source: L4
    implications: [It needs a camera.]
    via: nothing
    decision: {{state: skipped, why: There is no camera., instead: a picture}}
contradictions:
  - {{id: C-01, title: Two things, between: [R-0-01, R-7-01], tension: It pulls., stance: We hold.}}
"""


def changed(before: str, after: str) -> str:
    """The small file with one text replaced, which must be there."""
    assert before in SMALL
    return SMALL.replace(before, after, 1)


def test_a_requirement_is_what_its_row_says() -> None:
    """Each field of a row comes out, with the line that the row begins in."""
    first = loads(SMALL).requirements[0]

    assert ("R-0-01", "Users are served.", Kind.EXPLICIT) == (first.id, first.text, first.kind)
    assert ("0", "must-have", "L2-L3") == (first.step, first.layer, first.source)
    assert ("It needs an edge.",) == first.implications
    assert ("the edge", ("app/*.py",), 4) == (first.via, first.artefacts, first.line)


def test_a_check_has_its_arguments_or_none() -> None:
    """A check is written as a name alone, or as a name with its arguments."""
    calls = loads(SMALL).requirements[0].checks

    assert (CheckCall("service.answers"), CheckCall("file.exists", {"path": "a.txt"})) == calls


def test_a_decision_keeps_its_reason() -> None:
    """A decision stands in the place of checks, and says why and what is there instead."""
    second = loads(SMALL).requirements[1]

    assert () == second.checks
    assert Decision("skipped", "There is no camera.", "a picture") == second.decision


def test_the_document_is_known_by_title_and_digest() -> None:
    """The whole file says what it was taken from, and which lines of it ask for nothing."""
    found = loads(SMALL)

    assert f"A plan (SHA-256 {'0' * 64})" == found.source
    assert (4, ("L1",), ("R-0-09",)) == (found.lines, found.silent, found.retired)


def test_a_contradiction_names_its_requirements() -> None:
    """A contradiction is between requirements of the file, and has a stance."""
    (one,) = loads(SMALL).contradictions

    assert (("R-0-01", "R-7-01"), "We hold.", "") == (one.between, one.stance, one.decision_record)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('step: "0"', "step: 0", 'line 7: requirements.0.step: a step is a text: write it in quotes, "0"'),
        ('step: "0"', "step: 9Z", "line 7: requirements.0.step: Input should be '0', '1A'"),
        ('step: "0"', 'step: "4"', "line 7: requirements.0.step: the id is one of step 0"),
        ("kind: explicit", "kind: wish", "line 6: requirements.0.kind: Input should be 'explicit'"),
        ("layer: flair", "layer: nice", "line 20: requirements.1.layer: Input should be 'must-have'"),
        ("source: L4", "source: L5", "line 21: requirements.1.source: the document has 4 lines"),
        ("L2-L3", "L3-L2", "line 9: requirements.0.source: L3-L2 ends before it begins"),
        ("L2-L3", "L3", "line 1: source: no requirement names L2, and it is not listed as silent"),
        ("[L1]", "[]", "line 1: source: no requirement names L1"),
        ("[L1]", "[L1-L2]", "line 1: source.silent: line 2 asks for something"),
        ("L2-L3", "L2,L3", "line 9: requirements.0.source: String should match pattern"),
        ("id: R-0-01", "id: R-0-1", "line 4: requirements.0.id: String should match pattern"),
        ("id: R-0-01", "id: R-0-09", "line 4: requirements.0.id: R-0-09 is retired"),
        ("id: R-7-01", "id: R-0-01", "line 19: requirements.1.step: the id is one of step 0"),
        ("[R-0-01, R-7-01]", "[R-0-01, R-0-02]", "line 26: contradictions.0.between.1: there is no req"),
        ("[R-0-01, R-7-01]", "[R-0-01]", "line 26: contradictions.0.between: Tuple should have at least 2"),
        ("    decision: {state: skipped", "    note: {state: skipped", "line 24: requirements.1.note: there"),
        ("- service.answers", "- service answers", "line 14: requirements.0.checks.0"),
        ("- service.answers", "- 3", "line 14: requirements.0.checks.0: a check is a name, or one name with"),
        ("{path: a.txt}", "a.txt", "line 15: requirements.0.checks.1.call.file.exists: Input should be"),
        ("{path: a.txt}", "{}\n        file.too: {}", "line 15: requirements.0.checks.1.call: Dictionary"),
        ("[It needs an edge.]", "[]", "line 10: requirements.0.implications: Tuple should have at least 1"),
        ("    via: the edge\n", "", "line 4: requirements.0.via: it is missing"),
        ("via: the edge", 'via: ""', "line 11: requirements.0.via"),
        ("[app/*.py]", "[/app]", "line 12: requirements.0.artefacts.0"),
        ("[app/*.py]", "[app, a/../../b]", "line 12: requirements.0.artefacts.1: it leads out of the"),
        ("state: skipped", "state: later", "line 24: requirements.1.decision.state: Input should be 'def"),
        ("why: There is no camera., ", "", "line 24: requirements.1.decision.why: it is missing"),
        ('"0000', '"x000', "line 1: source.sha256: String should match pattern"),
        ("text: Users are served.", "text: Users\n    text: again", "line 6: 'text' stands here twice"),
    ],
)
def test_a_mistake_is_told_with_its_line(before: str, after: str, complaint: str) -> None:
    """Whatever is wrong is bad input, with line and place."""
    with pytest.raises(BadInputError) as caught:
        loads(changed(before, after))

    assert ExitCode.BAD_INPUT == caught.value.exit_code
    assert f"requirements.yaml {complaint}" in caught.value.what


def test_a_requirement_that_nothing_checks_or_decides_is_refused() -> None:
    """Something must be able to speak of each requirement."""
    decision = "    decision: {state: skipped, why: There is no camera., instead: a picture}\n"

    with pytest.raises(BadInputError, match=r"line 16: requirements\.1: it has neither a check nor a dec"):
        loads(changed(decision, ""))


def test_two_of_one_id_are_refused() -> None:
    """An id stands for one requirement only."""
    second = SMALL[SMALL.index("  - id: R-7-01") : SMALL.index("contradictions:")]

    with pytest.raises(BadInputError, match=r"line 25: requirements\.2\.id: R-7-01 stands for two things"):
        loads(changed("contradictions:\n", f"{second}contradictions:\n"))


def test_a_file_is_named_in_its_complaints(tmp_path: Path) -> None:
    """A file reads as its text does, and a missing one is told of with what to do."""
    path = tmp_path / "wanted.yaml"
    path.write_text(SMALL, encoding="utf-8")
    assert loads(SMALL) == load(path)

    path.write_text(changed("kind: bonus", "kind: wish"), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"^wanted\.yaml line 18: requirements\.1\.kind"):
        load(path)
    with pytest.raises(BadInputError, match="there is no file"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("source", "lines"),
    [("L3", {3}), ("L3-L5", {3, 4, 5}), ("L1, L3-L4", {1, 3, 4}), ("L5-L3", set())],
)
def test_a_source_names_lines(source: str, lines: set[int]) -> None:
    """Spans and single lines, several by commas; a span that runs backwards names none."""
    assert lines == lines_of(source)


@given(st.sets(st.integers(1, 400), min_size=1))
def test_lines_and_spans_are_the_same_thing(lines: set[int]) -> None:
    """Lines put into spans and taken out again are the same lines."""
    assert lines == lines_of(", ".join(spans_of(lines)))
