"""What of a Dockerfile is understood, and what is refused by its line."""

from __future__ import annotations

import pytest

from rollbook.errors import BadInputError
from rollbook.images.dockerfile import Instruction, parse


def test_a_dockerfile_is_read_into_stages() -> None:
    """Stages keep their names, bases and instructions with the lines that these stand on."""
    parsed = parse(
        'ARG TAG=3.14\nFROM python:${TAG} AS Build\nCOPY a \\\n  b /c/\n\nFROM python:$TAG\nCMD ["x"]\n',
        build_arguments={"TAG": "3.13"},
    )
    assert [("build", "python:3.13"), ("", "python:3.13")] == [(s.name, s.base) for s in parsed.stages]
    assert (Instruction("COPY", "a   b /c/", 3),) == parsed.stages[0].instructions
    assert (Instruction("CMD", '["x"]', 7),) == parsed.stages[1].instructions


def test_the_marker_skips_only_the_run_right_below_it() -> None:
    """A skip marker belongs to the next line and to no other."""
    parsed = parse("FROM python\n# rollbook: skip\nRUN one\nRUN two\n", build_arguments={})
    assert [True, False] == [instruction.skipped for instruction in parsed.stages[0].instructions]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "no FROM"),
        ("COPY a b\nFROM python\n", "line 1: COPY stands before"),
        ("FROM --platform=linux/arm64 python\n", "line 1"),
        ("FROM python\nUSER\n", "line 2: not understood"),
        ("FROM python\nCMD one \\\n", "line 2: not understood"),
        ("FROM python\n# rollbook: skip\nCOPY a b\n", "line 3: only RUN can be skipped"),
        ("FROM python\nRUN <<EOF\nls\nEOF\n", "line 2: here-documents"),
        ("ARG A\nFROM python:${A:-3}\n", "line 2: a variable with a modifier"),
        ("# escape=`\nFROM python\n", "escape character"),
    ],
)
def test_what_is_not_understood_is_refused_by_its_line(text: str, line: str) -> None:
    """A Dockerfile that cannot be read in full is refused, never read in part."""
    with pytest.raises(BadInputError) as refused:
        parse(text, build_arguments={})
    assert line in str(refused.value)
