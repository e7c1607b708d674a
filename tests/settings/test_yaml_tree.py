"""YAML as the settings use it: the core schema of 1.2, each value with its line, nothing that surprises."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollbook.settings.yaml_tree import TreeError, parse

TEXTS = st.text("abcXYZ019 .:#-_'\"éß~", max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    TEXTS,
    st.floats(allow_nan=False, allow_infinity=False, width=16),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("no", "no"),
        ("on", "on"),
        ("~", None),
        ("", None),
        ("10", 10),
        ("-3", -3),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("1.10", 1.1),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("'1.10'", "1.10"),
        ('"012345678901"', "012345678901"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    """A word is a text, and a number is one only as YAML 1.2 writes it."""
    got = parse(f"a: {written}\n").value["a"]

    assert (type(value), value) == (type(got), got)


def test_every_value_knows_its_line_and_how_it_is_written() -> None:
    """A path leads to the line of its name, and to the text as written; a missing part to its parent."""
    tree = parse("phases:\n- phase: canary\n  parameters:\n    version: 1.10\n- phase: validate\n")

    assert (4, "1.10") == (
        tree.place(("phases", 0, "parameters", "version")).line,
        tree.place(("phases", 0, "parameters", "version")).written,
    )
    assert 3 == tree.place(("phases", 0, "parameters", "rps")).line
    assert 5 == tree.place(("phases", 1)).line


def test_lines_ends_and_marks_of_other_systems_are_fine() -> None:
    """Windows line ends, and a text that a program began with a byte order mark."""
    assert {"a": 1, "b": [2]} == parse("\ufeffa: 1\r\nb:\r\n- 2\r\n").value


def test_an_alias_stands_for_its_anchor() -> None:
    """Aliases are taken, with the line where they stand."""
    tree = parse("a: &x {rps: 5}\nb: *x\n")

    assert {"a": {"rps": 5}, "b": {"rps": 5}} == tree.value
    assert 2 == tree.place(("b", "rps")).line


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' stands here twice, first in line 1"),
        ("a: 1\nb: 012\n", 2, "012 is a number with a leading zero"),
        ("a: &x [*x]\n", 1, "stands for nothing that is complete before it"),
        ("a: *nowhere\n", 1, "the alias *nowhere stands for nothing"),
        (BOMB, 5, "more than 10,000 values"),
        ("- x\n" * 10_001, 10_000, "more than 10,000 values"),
        ("[" * 1000, 1, "nested more than 30 levels deep"),
        ("a:\n\t- b\n", 2, "it is not valid YAML: found character '\\t'"),
        ("a: [1\n", 2, "it is not valid YAML"),
        ("a: b\nc: \x07\n", 2, "it is not valid YAML: unacceptable character"),
        ("a: 1\n---\nb: 1\n", 2, "a second document begins here"),
        ("%YAML 1.1\n---\na: no\n", 2, "it declares an older version of YAML"),
        ("a: !!python/object:os.system x\n", 1, "tags such as"),
        ("a: 1\n<<: {b: 2}\n", 2, "merge keys"),
        ("[a]: 1\n", 1, "a name must be a text"),
        ("a: &x [1]\n*x : 2\n", 2, "a name must be a text"),
    ],
)
def test_what_is_refused_is_refused_with_its_line(text: str, line: int, complaint: str) -> None:
    """Duplicate keys, bombs, tags and broken syntax are told with the line where they are."""
    with pytest.raises(TreeError) as caught:
        parse(text)

    assert line == caught.value.line
    assert complaint in caught.value.problem


@settings(deadline=None)
@given(VALUES)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    """YAML 1.2 holds JSON: whatever a program writes as JSON comes back the same."""
    assert {"value": value} == parse(json.dumps({"value": value}, ensure_ascii=False)).value


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the parser fail in another way than by saying what is wrong in one line."""
    try:
        outcome = str(parse(text).places)
    except TreeError as error:
        outcome = error.problem

    assert "\n" not in outcome
