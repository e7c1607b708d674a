"""What runs the checks elsewhere: GitHub's workflows and their shell, pre-commit, and `.ci/run`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.go_tools import go_tool

from rollbook.errors import EnvironmentFailedError
from rollbook.notebook.parameters import MODELS
from rollbook.sandbox.home import Cache
from rollbook.settings import plan_file

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
SCRIPTS = [ROOT / ".ci" / "run", *sorted((ROOT / "ci").glob("*.sh"))]
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint"
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")
SECONDS = 120

WRITES = {
    "deploy.yml image": {"attestations", "id-token"},
    "deploy.yml release": {"attestations", "id-token"},
    "infra.yml apply": {"id-token"},
    "infra.yml plan": {"id-token"},
    "pages.yml publish": {"id-token", "pages"},
    "release.yml release": {"attestations", "contents", "id-token"},
}
"""Every job whose token may write, and what."""

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def jobs() -> Iterator[tuple[str, Any]]:
    for path in WORKFLOWS:
        for key, job in load(path)["jobs"].items():
            yield f"{path.name} {key}", job


def steps(workflow: Any) -> Iterator[Any]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", [])


def tool(name: str) -> Path:
    """A linter of the environment; the test skips where there is none."""
    found = Path(sys.executable).with_name(name)
    if not found.exists():
        pytest.skip(f"{name} is not in the environment: its wheel is not made for this machine")
    return found


def run(*command: str | Path, environment: dict[str, str] | None = None, cwd: Path = ROOT) -> Any:
    return subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture(scope="session")
def actionlint() -> Path:
    """actionlint, from its Go module."""
    try:
        return go_tool(Cache.current(), ACTIONLINT, Path(__file__).parent / "locks" / "actionlint")
    except EnvironmentFailedError as error:
        pytest.skip(f"actionlint cannot be had: {error}")


def test_there_are_workflows() -> None:
    """The tests below look at something."""
    names = ["ci.yml", "deploy.yml", "infra.yml", "pages.yml", "release.yml"]

    assert names == [path.name for path in WORKFLOWS]


@each_workflow
def test_actions_are_pinned_by_commit(path: Path) -> None:
    """A tag can be moved by whoever owns the action; a commit cannot."""
    used = [step["uses"] for step in steps(load(path)) if "uses" in step]

    assert used
    assert [] == [action for action in used if not PINNED.match(action)]


@each_workflow
def test_each_pin_says_its_version(path: Path) -> None:
    """Beside the commit stands the release that it is, for people."""
    pins = [line for line in path.read_text().splitlines() if "uses:" in line and "@" in line]

    assert pins
    assert [] == [line for line in pins if not re.search(r"# v\d+\.\d+\.\d+$", line)]


def test_an_action_has_one_version() -> None:
    """All workflows use the same commit of an action, and name the same release for it."""
    pins = {
        found.groups()
        for path in WORKFLOWS
        for found in re.finditer(r"uses: (\S+)@(\S+) # (\S+)", path.read_text())
    }

    assert len({action for action, _, _ in pins}) == len(pins)


@each_workflow
def test_a_workflow_gives_no_permission_to_all_of_its_jobs(path: Path) -> None:
    """Permissions are given job by job."""
    assert {} == load(path)["permissions"]


def test_tokens_may_write_where_it_is_said() -> None:
    """Each job says what its token may do, and those that may write something are listed here."""
    given = {name: job["permissions"] for name, job in jobs()}
    writing = {
        name: {scope for scope, access in scopes.items() if access == "write"}
        for name, scopes in given.items()
    }

    assert WRITES == {name: scopes for name, scopes in writing.items() if scopes}
    assert set() == {access for scopes in given.values() for access in scopes.values()} - {"read", "write"}


def test_who_assumes_a_role_is_in_an_environment() -> None:
    """AWS trusts environments of this repository: they ask for approval, or for a branch."""
    assuming = {
        name: job.get("environment")
        for name, job in jobs()
        if any("configure-aws-credentials@" in step.get("uses", "") for step in job.get("steps", []))
    }

    assert {
        "deploy.yml image": "build",
        "deploy.yml release": "production",
        "infra.yml apply": "infrastructure",
        "infra.yml plan": "infrastructure-plan",
    } == assuming


@each_workflow
def test_nobody_elses_event_runs_with_our_token(path: Path) -> None:
    """Neither a pull request from a fork nor an issue's author gets a token that writes, or a secret."""
    triggers = load(path)["on"]
    known = {"push", "pull_request", "workflow_call", "workflow_dispatch"}

    assert set() == set(triggers) - known
    assert "secrets." not in path.read_text()


@each_workflow
def test_checkout_leaves_no_credentials(path: Path) -> None:
    """The checkout does not leave its token in the repository's configuration."""
    checkouts = [step for step in steps(load(path)) if step.get("uses", "").startswith("actions/checkout@")]

    assert checkouts
    assert [False] * len(checkouts) == [step["with"]["persist-credentials"] for step in checkouts]


def test_jobs_have_a_deadline() -> None:
    """No job can hang for GitHub's six hours; one that calls a workflow has the deadlines of that."""
    late = [name for name, job in jobs() if "steps" in job and job.get("timeout-minutes", 999) > 90]

    assert [] == late


def test_releases_wait_for_each_other() -> None:
    """One release at a time goes to production, and none that has begun is cut off by the next."""
    waits = dict(jobs())["deploy.yml release"]["concurrency"]

    assert {"group": "deploy-production", "cancel-in-progress": False} == waits


def test_what_is_deployed_was_checked_first() -> None:
    """The image is built after the suite and a release in the sandbox, and released after it was built."""
    deploy = dict(jobs())

    assert "./.github/workflows/ci.yml" == deploy["deploy.yml ci"]["uses"]
    assert ("ci", "image") == (deploy["deploy.yml image"]["needs"], deploy["deploy.yml release"]["needs"])


@each_workflow
def test_the_yaml_only_calls_what_the_repository_has(path: Path) -> None:
    """Each `run` is one command: a script of the repository, or a target of the Makefile."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    wrong = []
    for step in steps(load(path)):
        words = step.get("run", "make test").split()
        script = ROOT / words[0]
        is_ours = "/" in words[0] and script.is_file() and os.access(script, os.X_OK)
        is_target = words[0] == "make" and len(words) == 2 and words[1] in targets
        if not (is_ours or is_target) or re.search(r"[;&|$\n]", step.get("run", "").strip()):
            wrong.append(step["run"])

    assert [] == wrong


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


def test_actionlint_reports_nothing(actionlint: Path) -> None:
    """Syntax, contexts, expressions, types of inputs and outputs, shells."""
    done = run(actionlint, "-no-color", "-shellcheck=", "-pyflakes=", "-format={{json .}}", *WORKFLOWS)

    assert ([], 0) == (json.loads(done.stdout or "[]"), done.returncode)


def test_actionlint_would_report_something(actionlint: Path, tmp_path: Path) -> None:
    """An output of a step that is not there is found with the same options."""
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    wrong = tmp_path / "deploy.yml"
    wrong.write_text(text.replace("steps.build.outputs.digest", "steps.built.outputs.digest"))
    done = run(actionlint, "-no-color", "-shellcheck=", "-pyflakes=", "-format={{json .}}", wrong)

    assert 1 == done.returncode
    assert {"expression"} <= {found["kind"] for found in json.loads(done.stdout)}


def test_zizmor_reports_nothing() -> None:
    """No injection, no credentials left, no permission too many, no trigger that a stranger can use."""
    done = run(tool("zizmor"), "--offline", "--no-progress", "--format=json-v1", *WORKFLOWS)

    assert ([], 0) == (json.loads(done.stdout), done.returncode)


def test_zizmor_would_report_something(tmp_path: Path) -> None:
    """An expression within a command is found with the same options."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    wrong = tmp_path / "release.yml"
    wrong.write_text(text.replace("run: ci/package.sh", "run: ci/package.sh ${{ github.ref_name }}"))
    done = run(tool("zizmor"), "--offline", "--no-progress", "--format=json-v1", wrong)

    assert {"template-injection"} <= {found["ident"] for found in json.loads(done.stdout)}


@each_script
def test_shell_is_posix_and_can_be_run(script: Path) -> None:
    """It is parsed by `sh`, says so in its first line, stops at the first error, and is executable."""
    done = run("sh", "-n", script)

    assert (0, "") == (done.returncode, done.stderr)
    assert "#!/bin/sh\n" == script.read_text().splitlines(keepends=True)[0]
    assert "\nset -eu\n" in script.read_text()
    assert os.access(script, os.X_OK)


@each_script
def test_shellcheck_reports_nothing(script: Path) -> None:
    """Quoting, unset variables, commands whose failure would pass unnoticed."""
    done = run(tool("shellcheck"), "--shell=sh", "--format=json", script)

    assert ([], 0) == (json.loads(done.stdout), done.returncode)


@pytest.mark.parametrize(
    ("command", "environment", "code", "word"),
    [
        (["ci/image.sh"], {}, 2, "REPOSITORY"),
        (["ci/verify-image.sh"], {"GH_REPO": "example/hello"}, 2, "IMAGE"),
        (["ci/verify-image.sh"], {"GH_REPO": "example/hello", "IMAGE": "hello:1.0.0"}, 2, "no digest"),
        (["ci/release.sh"], {"AWS_REGION": "us-east-1"}, 2, "CLUSTER"),
        (["ci/release.sh"], {"AWS_REGION": "us-east-1", "CLUSTER": "a", "PLAN": "../other"}, 2, "no plan"),
        (["ci/release.sh"], {"AWS_REGION": "us-east-1", "CLUSTER": "a"}, 2, "DIGEST"),
        (["ci/infra.sh", "plan"], {}, 2, "TERRAFORM_BACKEND"),
        (["ci/infra.sh"], {"TERRAFORM_BACKEND": "a", "TERRAFORM_VALUES": "b"}, 2, "usage"),
        (["ci/infra.sh", "apply"], {"TERRAFORM_BACKEND": "a", "TERRAFORM_VALUES": "b"}, 2, "APPROVED"),
        (["ci/package.sh"], {}, 2, "TAG"),
        (["ci/publish.sh"], {}, 2, "TAG"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_scripts_say_what_they_need(
    command: list[str], environment: dict[str, str], code: int, word: str
) -> None:
    """What is missing or wrong is told by its name before anything is done."""
    done = run(*command, environment=environment)

    assert (code, True) == (done.returncode, word in done.stderr)


def test_the_version_is_that_of_the_commit(tmp_path: Path) -> None:
    """The same commit is the same version wherever it is checked out: day in UTC, and commit."""
    (tmp_path / "ci").mkdir()
    shutil.copy(ROOT / "ci" / "version.sh", tmp_path / "ci")
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in {"NAME": "a", "EMAIL": "a@b.c", "DATE": "2026-12-31T23:30:00-0200"}.items()
    }
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        assert 0 == run("git", *arguments, environment=who, cwd=tmp_path).returncode
    commit = run("git", "rev-parse", "HEAD", cwd=tmp_path).stdout.strip()

    assert f"20270101-{commit[:12]}\n" == run(tmp_path / "ci" / "version.sh", cwd=tmp_path).stdout


@pytest.mark.parametrize("name", ["first", "release"])
def test_plans_of_ci_are_plans(name: str) -> None:
    """rollbook takes the plans that the workflow `deploy` names."""
    plan = plan_file.load(ROOT / "ci" / "plans" / f"{name}.yaml", MODELS)

    assert "validate" == plan.phases[-1].phase


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
