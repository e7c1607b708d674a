"""`make ci-local`: expressions of workflows, and what stands in for actions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ci.equivalents import NotHere, Runner, act
from ci.expressions import evaluate, fill, holds
from ci.local import FOLDER, ORDER
from ruamel.yaml import YAML

CONTEXTS: dict[str, Any] = {
    "github": {"ref": "refs/heads/main", "event_name": "push"},
    "vars": {"AWS_REGION": "eu-west-1"},
    "steps": {"plan": {"outputs": {"changes": "true"}}},
    "needs": {},
    "failed": False,
}
FAILED = {**CONTEXTS, "failed": True}


def a_runner(folder: Path) -> Runner:
    return Runner(folder / "checkout", folder / "artefacts", {}, lambda: "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.ref == 'refs/heads/main'", True),
        ("github.ref != 'refs/heads/main'", False),
        ("vars.AWS_REGION != '' && github.event_name == 'push'", True),
        ("vars.NOT_THERE != ''", False),
        ("vars.NOT_THERE || 'other'", "other"),
        ("!(github.event_name == 'push') || true", True),
        ("false || false && true", False),
        ("steps.plan.outputs.changes == 'true'", True),
        ("'it''s'", "it's"),
    ],
)
def test_expressions_mean_what_they_mean_at_github(text: str, value: object) -> None:
    """Comparison binds before and, and before or; names of nothing are empty; `or` gives its value."""
    assert value == evaluate(text, CONTEXTS)


@pytest.mark.parametrize("text", ["github.ref ==", "(true", "true true", "hashFiles('a')", "a ? b : c", ""])
def test_what_is_not_understood_is_refused(text: str) -> None:
    """No condition is guessed."""
    with pytest.raises(ValueError, match=r"expression|missing|not known"):
        evaluate(text, CONTEXTS)


@pytest.mark.parametrize(
    ("condition", "contexts", "runs"),
    [
        ("success()", CONTEXTS, True),
        ("success()", FAILED, False),
        ("github.event_name == 'push'", FAILED, False),
        ("${{ !cancelled() }}", FAILED, True),
        ("${{ !cancelled() && steps.plan.outputs.run != '' }}", FAILED, False),
        ("always()", FAILED, True),
        ("failure()", CONTEXTS, False),
    ],
)
def test_after_a_failure_only_those_run_that_ask_for_it(
    condition: str, contexts: dict[str, Any], runs: bool
) -> None:
    """A condition that says nothing of failures holds only when there was none."""
    assert runs == holds(condition, contexts)


def test_texts_are_filled() -> None:
    """Each expression in a text is replaced, and nothing else."""
    assert "a eu-west-1 b true $c" == fill("a ${{ vars.AWS_REGION }} b ${{ true }} $c", CONTEXTS)


def test_every_condition_of_the_workflows_is_understood() -> None:
    """Jobs and steps as they are: nothing in them is beyond what is evaluated here."""
    read = []
    for name in ORDER:
        for job in YAML(typ="safe").load((FOLDER / f"{name}.yml").read_text())["jobs"].values():
            for part in (job, *job.get("steps", [])):
                holds(part.get("if", "success()"), CONTEXTS)
                values = [*part.get("with", {}).values(), *part.get("env", {}).values()]
                read += [fill(str(value), CONTEXTS) for value in values]

    assert sorted(ORDER) == sorted(path.stem for path in FOLDER.glob("*.yml"))
    assert [] == [text for text in read if "${{" in text]


def test_every_action_is_done_or_it_is_said_why_not(tmp_path: Path) -> None:
    """No action of the workflows is without an equivalent or a reason."""
    used = {
        step["uses"]
        for name in ORDER
        for job in YAML(typ="safe").load((FOLDER / f"{name}.yml").read_text())["jobs"].values()
        for step in job.get("steps", [])
        if "uses" in step and "checkout" not in step["uses"]
    }
    told = []
    for action in sorted(used):
        try:
            given = {"name": "a", "path": "nothing", "aws-region": "eu-west-1"}
            (tmp_path / "artefacts").mkdir(exist_ok=True)
            told.append(act(action, given, a_runner(tmp_path)))
        except NotHere as reason:
            told.append(str(reason))

    assert len(used) == len(told)
    assert [] == [text for text in told if "nothing on this machine" in text or not text]


def test_an_artefact_is_what_its_paths_say(tmp_path: Path) -> None:
    """Folders keep their shape, and what is left out is left out."""
    for name in ("README.md", "index.html", "run/report.html", "sample/report.html"):
        file = tmp_path / "checkout" / "reports" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    given = {"name": "reports", "path": "reports/\n!reports/README.md\n!reports/sample/**\n"}
    act("actions/upload-artifact@0", given, a_runner(tmp_path))
    kept = tmp_path / "artefacts" / "reports"

    assert ["index.html", "run/report.html"] == sorted(
        path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()
    )


def test_an_artefact_that_has_to_be_there_is_missed(tmp_path: Path) -> None:
    """`if-no-files-found: error` is an error here too."""
    (tmp_path / "checkout").mkdir()

    with pytest.raises(FileNotFoundError, match=r"build/artifact\.tar"):
        act(
            "actions/upload-artifact@0",
            {"name": "a", "path": "build/artifact.tar", "if-no-files-found": "error"},
            a_runner(tmp_path),
        )


def test_only_an_emulated_account_is_reached(tmp_path: Path) -> None:
    """The credentials of a local run are made up, and all calls go to an address of this machine."""
    runner = a_runner(tmp_path)
    act("aws-actions/configure-aws-credentials@0", {"aws-region": "eu-west-1"}, runner)

    assert {
        "AWS_ACCESS_KEY_ID": "emulated",
        "AWS_SECRET_ACCESS_KEY": "emulated",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    } == runner.environment
