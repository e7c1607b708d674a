"""The policy file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rollbook.errors import BadInputError
from rollbook.replay.policy import AS_RECORDED, DEFAULT, JUDGE_RECORDED, read

WHOLE = """\
every_s: 1
alpha: 0.05
margin: 0.02
recorded: true
judge:
  judge: {}
  careful:
    alpha: 0.001
    latency_weight: 0
thresholds:
  strict:
    least_success_rate: 0.99
    window_s: 60
    interval_s: 30
    failure_limit: 2
fisher:
  hasty: {}
"""


def test_a_whole_file(tmp_path: Path) -> None:
    """Rules by their names; what a rule leaves out is the policy's, or the interval."""
    file = tmp_path / "policy.yaml"
    file.write_text(WHOLE)
    found = read(file)
    strict = found.thresholds["strict"].rule()

    assert ("judge", "careful", JUDGE_RECORDED, AS_RECORDED, "strict", "hasty") == found.names
    assert (1.0, 0.05, 0.02) == (found.every_s, found.alpha, found.margin)
    assert (None, 0.001) == (found.judge["judge"].alpha, found.judge["careful"].alpha)
    assert (30.0, 2, None) == (strict.initial_delay_s, strict.failure_limit, strict.most_p95_s)


def test_the_example_in_the_documents_is_one(project: Path, tmp_path: Path) -> None:
    """What docs/replay.md shows is read, and every rule of it has its kind."""
    [example] = re.findall(r"```yaml\n(.*?)```", (project / "docs/replay.md").read_text(), re.DOTALL)
    file = tmp_path / "policy.yaml"
    file.write_text(example)
    found = read(file)

    assert (
        "judge",
        "errors only",
        JUDGE_RECORDED,
        AS_RECORDED,
        "99 % over a minute",
        "peeked Fisher",
    ) == found.names
    assert (0.001, 0.3) == (
        found.judge["errors only"].alpha,
        found.thresholds["99 % over a minute"].most_p95_s,
    )


def test_without_a_file_there_are_rules() -> None:
    """The judge, the run's own, a strict one, and a test that is looked at too often."""
    assert ("judge", JUDGE_RECORDED, AS_RECORDED, "99 % over 60 s", "peeked Fisher") == DEFAULT.names
    assert DEFAULT == read(None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (WHOLE.replace("alpha: 0.001", "alpha: 0.7"), "policy.yaml line 8: judge.careful.alpha: "),
        (WHOLE.replace("window_s: 60", "window: 60"), "policy.yaml line 13: thresholds.strict.window: "),
        (WHOLE.replace("    window_s: 60\n", ""), "thresholds.strict.window_s: it is missing"),
        (WHOLE.replace("window_s: 60", "window_s: -1"), "policy.yaml line 13: thresholds.strict.window_s: "),
        (
            WHOLE.replace("hasty", "strict"),
            "policy.yaml line 17: fisher.strict: two rules are called 'strict'",
        ),
        ("every_s: 5\n", "no rule is there"),
        ("every_s: 0.01\nrecorded: true\n", "policy.yaml line 1: every_s: "),
        ("every_s: .nan\nrecorded: true\n", "policy.yaml line 1: every_s: "),
        ("", "policy.yaml is empty"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    """What, where, and in which line."""
    file = tmp_path / "policy.yaml"
    file.write_text(text)

    with pytest.raises(BadInputError) as caught:
        read(file)
    assert complaint in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    """What a policy looks like is said."""
    with pytest.raises(BadInputError, match="there is no file") as caught:
        read(tmp_path / "none.yaml")
    assert "A policy has" in caught.value.next_step
