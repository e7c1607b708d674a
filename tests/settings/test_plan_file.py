"""The plan file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.errors import BadInputError
from rollbook.settings import plan_file


def plan(tmp_path: Path, text: str) -> plan_file.Plan:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return plan_file.load(path)


def test_a_plan_keeps_its_order(tmp_path: Path) -> None:
    """Phases come out in the order in which they are written, under their names."""
    loaded = plan(
        tmp_path,
        "phases:\n- phase: deploy\n- phase: canary\n  expect: promoted\n- phase: canary\n  name: drill\n",
    )

    assert [one.label for one in loaded.phases] == ["deploy", "canary", "drill"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("phases: []\n", "plan.yaml line 1: phases"),
        ("phases:\n- phase: cannary\n", "plan.yaml line 2: phases.0.phase"),
        ("phases:\n- phase: canary\n- phase: canary\n", "two phases are called 'canary'"),
        ("phases:\n- phase: deploy\n  expect: promoted\n", "only a canary has a verdict"),
        ("phases:\n- phase: canary\n  expect: maybe\n", "plan.yaml line 3: phases.0.expect"),
        (
            "phases:\n- phase: canary\n  params: {}\n",
            "line 3: phases.0.params: there is no such name",
        ),
        ("{}\n", "phases: it is missing"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    """Each kind of mistake in a plan names the file, the line and the field."""
    with pytest.raises(BadInputError) as caught:
        plan(tmp_path, text)

    assert complaint in str(caught.value)
