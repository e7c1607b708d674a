"""The plan file: order, parameters checked with their lines, and how it complains."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.errors import BadInputError
from rollbook.notebook.parameters import MODELS
from rollbook.settings import plan_file

CANARY = "phases:\n- phase: canary\n  parameters:\n    "


def plan(tmp_path: Path, text: str | bytes) -> plan_file.Plan:
    path = tmp_path / "plan.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return plan_file.load(path, MODELS)


def test_a_plan_keeps_its_order(tmp_path: Path) -> None:
    """Phases come out in the order in which they are written, under their names."""
    loaded = plan(
        tmp_path,
        "phases:\n- phase: deploy\n- phase: canary\n  expect: promoted\n- phase: canary\n  name: drill\n",
    )

    assert [one.label for one in loaded.phases] == ["deploy", "canary", "drill"]


def test_parameters_in_quotes_stay_texts(tmp_path: Path) -> None:
    """A version and an account with a leading zero are what is written in the quotes."""
    text = "phases:\n- phase: provision\n  parameters: {account: '012345678901'}\n- phase: deploy\n"
    loaded = plan(tmp_path, text + '  parameters:\n    version: "1.10"\n    probes: 5\n')

    assert {"account": "012345678901"} == loaded.phases[0].parameters
    assert {"version": "1.10", "probes": 5} == loaded.phases[1].parameters


def test_a_plan_of_another_system_is_read(tmp_path: Path) -> None:
    """Windows line ends and a byte order mark do not matter."""
    assert 1 == len(plan(tmp_path, b"\xef\xbb\xbfphases:\r\n- phase: validate\r\n").phases)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("phases: []\n", "plan.yaml line 1: phases"),
        ("phases:\n- phase: cannary\n", "plan.yaml line 2: phases.0.phase: Input should be 'provision',"),
        ("phases:\n- phase: canary\n- phase: canary\n", "line 3: phases.1: two phases are called 'canary'"),
        ("phases:\n- phase: deploy\n  expect: promoted\n", "line 3: phases.0.expect: only a canary has"),
        ("phases:\n- phase: canary\n  deadline_s: .inf\n", "plan.yaml line 3: phases.0.deadline_s"),
        ("phases:\n- phase: canary\n  expect: maybe\n", "plan.yaml line 3: phases.0.expect"),
        ("phases:\n- phase: canary\n  params: {}\n", "line 3: phases.0.params: there is no such name"),
        ("phases:\n- phase: canary\n  name: Two Words\n", "line 3: phases.0.name"),
        (
            "phases:\n- phase: canary\n  parameters: rps\n",
            "line 3: phases.0.parameters: Input should be a val",
        ),
        (
            "phases:\n- phase: canary\n  expect: promoted\n  parameters: {expect: rolled-back}\n",
            "line 3: phases.0.expect: the verdict to expect is given twice",
        ),
        ("{}\n", "phases: it is missing"),
        ("phases: no\n", "plan.yaml line 1: phases: Input should be a valid tuple"),
        ("- phase: deploy\n", "line 1: it must be a mapping"),
        ("", "plan.yaml is empty"),
        ("# nothing yet\n", "plan.yaml is empty"),
        (b"phases:\n- phase: caf\xe9\n", "plan.yaml line 2: it is not UTF-8 text"),
        ("phases:\n- phase: deploy\n".encode("utf-16"), "plan.yaml line 1: it is not UTF-8 text"),
        ("phases:\n\t- phase: deploy\n", "plan.yaml line 2: it is not valid YAML: found character '\\t'"),
        ("phases:\n- phase: deploy\n  phase: canary\n", "line 3: 'phase' stands here twice, first in line 2"),
        (f"{CANARY}rps: 5\n    rps: 6\n", "line 5: 'rps' stands here twice, first in line 4"),
        (f"{CANARY}rps: -1\n", "line 4: phases.0.parameters.rps: Input should be greater than 0 (got -1)"),
        (
            f"{CANARY}rps: '50'\n",
            "line 4: phases.0.parameters.rps: Input should be a valid number (got '50')",
        ),
        (
            f"{CANARY}rps: .nan\n",
            "line 4: phases.0.parameters.rps: Input should be a finite number (got .nan)",
        ),
        (f"{CANARY}rps: .inf\n", "line 4: phases.0.parameters.rps: Input should be"),
        (f"{CANARY}rps: yes\n", "line 4: phases.0.parameters.rps: Input should be a valid number (got yes)"),
        (
            f"{CANARY}\n    rsp: 5\n",
            "line 5: phases.0.parameters.rsp: there is no such name here; perhaps rps",
        ),
        (f"{CANARY}version: 1.10\n", '(got 1.10): write it in quotes, "1.10"'),
        (f"{CANARY}version: 007\n", "line 4: 007 is a number with a leading zero. As a text, write it in"),
        (f"{CANARY}version:\n", "line 4: phases.0.parameters.version: Input should be a valid string"),
        (
            f"{CANARY}target: sandbox\n",
            "line 4: phases.0.parameters.target: a plan cannot set it. Use --target",
        ),
        (f"{CANARY}name: x\n", "line 4: phases.0.parameters.name: a plan cannot set it. Use the phase's own"),
        (
            f"{CANARY}fault: {'AKIA' + 'Q3EXAMPLE7RTLX2B'}\n",
            "line 4: phases.0.parameters.fault: it looks like",
        ),
        (
            "phases:\n- phase: provision\n  parameters: {account: 012345678901}\n",
            'line 3: 012345678901 is a number with a leading zero. As a text, write it in quotes: "0123',
        ),
        (
            "phases:\n- phase: provision\n  parameters: {account: 123456789012}\n",
            '(got 123456789012): write it in quotes, "123456789012"',
        ),
        (
            "phases:\n- phase: teardown\n  parameters: {registry: no}\n",
            "line 3: phases.0.parameters.registry: Input should be a valid boolean (got no): write true or f",
        ),
        ("phases: " + "[" * 500, "line 1: it is nested more than 30 levels deep"),
        ("x: &x [1]\nphases: *y\n", "line 2: the alias *y stands for nothing"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    """Each kind of mistake in a plan names the file, the line and the field, in one line."""
    with pytest.raises(BadInputError) as caught:
        plan(tmp_path, text)

    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """What is larger than a megabyte is no plan, and is refused before it is parsed."""
    with pytest.raises(BadInputError, match=r"is larger than 1,000,000 bytes"):
        plan(tmp_path, b"# " + b"x" * 1_000_000)


def test_an_endless_file_is_refused() -> None:
    """A device that never ends is refused like a huge file."""
    with pytest.raises(BadInputError, match="larger than"):
        plan_file.load(Path("/dev/zero"), MODELS)


def test_a_folder_is_no_plan(tmp_path: Path) -> None:
    """A folder in the file's place is bad input."""
    with pytest.raises(BadInputError, match="cannot be read"):
        plan_file.load(tmp_path, MODELS)
