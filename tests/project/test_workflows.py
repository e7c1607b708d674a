"""What runs the checks elsewhere: GitHub's workflow, pre-commit, and `.ci/run`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def steps(workflow: Any) -> Iterator[Any]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def test_there_is_a_workflow() -> None:
    """The tests below look at something."""
    assert ["ci.yml"] == [path.name for path in WORKFLOWS]


@each_workflow
def test_actions_are_pinned_by_commit(path: Path) -> None:
    """A tag can be moved by whoever owns the action; a commit cannot."""
    used = [step["uses"] for step in steps(load(path)) if "uses" in step]

    assert used
    assert [] == [action for action in used if not PINNED.match(action)]


@each_workflow
def test_each_pin_says_its_version(path: Path) -> None:
    """Beside the commit stands the release that it is, for people."""
    pins = [line for line in path.read_text().splitlines() if "uses:" in line]

    assert [] == [line for line in pins if not re.search(r"# v\d+\.\d+\.\d+$", line)]


@each_workflow
def test_may_only_read(path: Path) -> None:
    """The token of the workflow reads the repository and does nothing else."""
    workflow = load(path)

    assert {"contents": "read"} == workflow["permissions"]
    assert [] == [name for name, job in workflow["jobs"].items() if "permissions" in job]


@each_workflow
def test_checkout_leaves_no_credentials(path: Path) -> None:
    """The checkout does not leave its token in the repository's configuration."""
    checkouts = [step for step in steps(load(path)) if step.get("uses", "").startswith("actions/checkout@")]

    assert checkouts
    assert [False] * len(checkouts) == [step["with"]["persist-credentials"] for step in checkouts]


@each_workflow
def test_jobs_have_a_deadline(path: Path) -> None:
    """No job can hang for GitHub's six hours."""
    assert [] == [name for name, job in load(path)["jobs"].items() if job.get("timeout-minutes", 999) > 90]


def test_ci_runs_what_the_readme_says() -> None:
    """The workflow runs `.ci/run`, which is the README's test command, and a whole release."""
    commands = [
        step["run"].strip()
        for step in steps(load(ROOT / ".github" / "workflows" / "ci.yml"))
        if "run" in step
    ]
    script = ROOT / ".ci" / "run"

    assert [".ci/run", "make run"] == commands
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()


def test_pre_commit_needs_no_other_repository() -> None:
    """Every hook runs a tool of the environment, at the version of the lock file."""
    config = load(ROOT / ".pre-commit-config.yaml")
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    locked = (ROOT / "requirements.lock").read_text()
    owner = {"lint-imports": "import-linter"}

    assert {"local"} == {repository["repo"] for repository in config["repos"]}
    assert {"system"} == {hook["language"] for hook in hooks}
    for hook in hooks:
        program = hook["entry"].split()[0]
        assert program.startswith(".venv/bin/")
        name = Path(program).name
        assert f"\n{owner.get(name, name)}==" in locked
