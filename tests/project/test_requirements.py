"""The project's own requirements: complete, true to the repository, with ids that are never used again."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from rollbook.coverage import registry
from rollbook.coverage.requirement import Kind, Requirement, Requirements
from rollbook.coverage.requirements_document import STEPS, requirements_markdown, schema_json
from rollbook.coverage.requirements_file import load

ROOT = Path(__file__).parents[2]
NAME = "docs/requirements.yaml"
FILE = ROOT / NAME
NAMED = re.compile(r"(?<![\w./-])((?:app|docs|k8s|lib|monitoring|runbooks|tests|\.github)/[\w./*-]+\.\w+)")
ID = re.compile(r"^\s*- \{?id: ([RC]-[\w-]+)", re.MULTILINE)
RETIRED = re.compile(r"^retired: *\[([^\]]*)\]", re.MULTILINE)

REQUIREMENTS = load(FILE)


@dataclass(frozen=True)
class Version:
    """The ids of the file at one commit: in use, and retired."""

    used: frozenset[str]
    retired: frozenset[str]


def version(text: str) -> Version:
    retired = RETIRED.search(text)
    gone = re.findall(r"[RC]-[\w-]+", retired[1]) if retired else []
    return Version(frozenset(ID.findall(text)), frozenset(gone))


def reused(history: Sequence[Version]) -> list[str]:
    """Ids that went without being retired, or that came back; `history` has the oldest version first."""
    wrong = set()
    for before, after in pairwise(history):
        wrong |= (before.used | before.retired) - after.used - after.retired
        wrong |= before.retired & after.used
    return sorted(wrong)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def history(folder: Path) -> Iterator[Version]:
    """All versions of the file, the oldest first, and the one that lies there now as the last."""
    for commit in reversed(git(folder, "log", "--format=%H", "--", NAME).split()):
        shown = subprocess.run(
            ["git", "show", f"{commit}:{NAME}"], cwd=folder, capture_output=True, text=True, check=False
        )
        if shown.returncode == 0:
            yield version(shown.stdout)
    yield version((folder / NAME).read_text(encoding="utf-8"))


def missing(row: Requirement) -> list[str]:
    """Files that a row names as what implements it, and that are not there."""
    named = [*row.artefacts, *NAMED.findall(row.via)]
    return [path for path in named if not any(ROOT.glob(path))]


def test_every_step_and_kind_has_requirements() -> None:
    """No step of the plan and no kind of requirement was left out, and steps come in their order."""
    rows = REQUIREMENTS.requirements
    in_order = list(dict.fromkeys(row.step for row in rows))

    assert list(STEPS) == in_order
    assert set(Kind) == {row.kind for row in rows}


def test_every_line_of_the_plan_was_looked_at() -> None:
    """The file tells how long the plan is; the loader sees to it that each line is accounted for."""
    assert 255 == REQUIREMENTS.lines
    assert 110 <= len(REQUIREMENTS.requirements) <= 215


def test_bonus_features_are_in_later_layers() -> None:
    """No bonus feature is in one of the first two layers."""
    bonus = [row for row in REQUIREMENTS.requirements if row.kind is Kind.BONUS]

    assert [] == [row.id for row in bonus if row.layer in {"must-have", "strategic-core"}]


def test_checks_are_known_and_take_their_arguments() -> None:
    """Each check that a requirement names is registered, with these arguments."""
    for row in REQUIREMENTS.requirements:
        registry.validate(row)


def test_what_is_said_to_implement_it_is_there() -> None:
    """Files that `via` and `artefacts` name exist, unless the row says that something is not there yet."""
    wrong = {row.id: missing(row) for row in REQUIREMENTS.requirements if " yet" not in row.via}

    assert {} == {name: paths for name, paths in wrong.items() if paths}


def test_decision_records_of_contradictions_are_there() -> None:
    """A stance leads to the record of its decision."""
    records = [one.decision_record for one in REQUIREMENTS.contradictions if one.decision_record]

    assert [] == [path for path in records if not (ROOT / path).is_file()]


def test_the_document_is_up_to_date() -> None:
    """docs/requirements.md is what `python -m rollbook.coverage.requirements_document docs` writes."""
    assert requirements_markdown(REQUIREMENTS) == (ROOT / "docs/requirements.md").read_text(encoding="utf-8")


def test_the_schema_is_up_to_date() -> None:
    """docs/requirements.schema.json is what the same command writes."""
    assert schema_json() == (ROOT / "docs/requirements.schema.json").read_text(encoding="utf-8")


def test_the_schema_takes_the_file_and_refuses_another_field() -> None:
    """The JSON Schema is valid, and as strict as the loader."""
    schema = json.loads(schema_json())
    Draft202012Validator.check_schema(schema)
    written = YAML(typ="safe", pure=True).load(FILE.read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)

    assert [] == [error.message for error in validator.iter_errors(written)]
    assert not validator.is_valid({**written, "note": "more"})


def test_the_document_shows_hostile_text_as_text() -> None:
    """Markup and bars in a requirement cannot break out of their cell."""
    row = REQUIREMENTS.requirements[0]
    hostile = Requirement(**{**vars(row), "text": "a | b <script>c</script>"})
    lines = requirements_markdown(Requirements("x", (hostile,), ())).splitlines()

    assert 1 == sum("| a \\| b &lt;script>c&lt;/script> |" in line for line in lines)
    assert "<script" not in "\n".join(lines)


def test_no_id_was_ever_used_again() -> None:
    """In all of the file's history, an id that went was retired, and none came back."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: there is no history to compare with")
    if git(ROOT, "rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("a shallow clone has no history to compare with")

    assert [] == reused(list(history(ROOT)))


def test_a_reused_id_is_found(tmp_path: Path) -> None:
    """Ids that go unretired, or come back after they were retired, are found in a repository's history."""
    steps = ["retired: []\n- id: R-0-01\n- id: R-0-02\n", "retired: []\n- id: R-0-01\n"]
    steps += ["retired: [R-0-01]\n- id: R-0-03\n", "retired: []\n- id: R-0-01\n- id: R-0-03\n"]
    git(tmp_path, "init", "--quiet")
    (tmp_path / "docs").mkdir()
    for text in steps:
        (tmp_path / NAME).write_text(text, encoding="utf-8")
        git(tmp_path, "add", NAME)
        git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "t")

    found = list(history(tmp_path))

    assert ["R-0-02"] == reused(found[:3])
    assert ["R-0-01", "R-0-02"] == reused(found)


def test_history_is_read_from_the_real_file() -> None:
    """The ids that are read from the text, without a loader, are those that the loader finds."""
    rows = {row.id for row in REQUIREMENTS.requirements} | {one.id for one in REQUIREMENTS.contradictions}

    assert rows == version(FILE.read_text(encoding="utf-8")).used
    assert set(REQUIREMENTS.retired) == version(FILE.read_text(encoding="utf-8")).retired
