"""`make ci-local`: the steps of GitHub's workflows on this machine, as the YAML has them and in its order.

A step's command is run as it stands there. For an action, its equivalent is done, or it is said why there is
none. Nothing of a step is repeated here, so that this cannot say something else than the workflows do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from ci.equivalents import ROOT, NotHere, Runner, act, need_what
from ci.expressions import fill, holds
from ruamel.yaml import YAML
from tests import ministack

FOLDER = ROOT / ".github" / "workflows"
ORDER = ("ci", "infra", "deploy", "pages", "release")
REGION = "us-east-1"
BUCKET = "rollbook-ci-local"
SECRETS_OF_OTHERS = ("AWS_", "GITHUB_", "GH_", "TF_", "VIRTUAL_ENV", "KUBECONFIG")
"""Beginnings of variables that steps do not get: no real account may be reached from here."""


@dataclass
class Told:
    """What became of the steps, for the table at the end."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    failed: bool = False

    def add(self, step: str, outcome: str, why: str = "") -> None:
        """Remember, and say at once."""
        self.rows.append((step, outcome, why))
        print(f"::: {step}: {outcome}{': ' + why if why else ''}", flush=True)


@dataclass
class Local:
    """One run of `make ci-local`: a folder, and an emulated AWS that lives as long as it is needed."""

    folder: Path
    without: frozenset[str]
    told: Told
    closing: ExitStack
    _aws: str = ""

    def aws(self) -> str:
        """URL of the emulated AWS, with the bucket for Terraform's state."""
        if not self._aws:
            place = self.folder / "aws"
            place.mkdir()
            self._aws = self.closing.enter_context(ministack.running(place))
            client = boto3.client(
                "s3",
                endpoint_url=self._aws,
                region_name=REGION,
                aws_access_key_id="emulated",
                aws_secret_access_key="emulated",  # noqa: S106 - an emulator takes any
            )
            client.create_bucket(Bucket=BUCKET)
        return self._aws

    def workflow(self, name: str) -> None:
        """Run the jobs of a workflow in the order of the file, which is also that of their needs."""
        declared = YAML(typ="safe").load((FOLDER / f"{name}.yml").read_text())
        done: dict[str, Any] = {}
        for key, job in declared["jobs"].items():
            title = f"{name} / {job.get('name', key)}"
            contexts = self._contexts(name, declared, done)
            needed = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            contexts["failed"] = any(not done[need]["passed"] for need in needed)
            if "uses" in job:
                self.told.add(title, "not run here", f"it is {job['uses']}, which has a turn of its own")
                done[key] = {"passed": True, "outputs": {}}
            elif not holds(job.get("if", "success()"), contexts):
                self.told.add(title, "not run", "its condition does not hold")
                done[key] = {"passed": not contexts["failed"], "outputs": {}}
            else:
                done[key] = self._job(title, key, job, contexts)

    def _job(self, title: str, key: str, job: Mapping[str, Any], contexts: dict[str, Any]) -> dict[str, Any]:
        place = self.folder / title.partition(" / ")[0] / key
        place.mkdir(parents=True)
        runner = Runner(place / "checkout", place / "artefacts", self._environment(place), self.aws)
        contexts["steps"] = steps = {}
        contexts["failed"] = False
        try:
            for number, step in enumerate(job["steps"], 1):
                step_title = f"{title} / {step.get('name', number)}"
                if step.get("name") in self.without:
                    self.told.add(step_title, "left out", "as it was asked for")
                elif not holds(step.get("if", "success()"), contexts):
                    self.told.add(step_title, "not run", "its condition does not hold")
                else:
                    steps[step.get("id", str(number))] = self._step(step_title, step, runner, contexts)
        finally:
            _clear(runner)
        self.told.failed |= contexts["failed"]
        outputs = {name: fill(text, contexts) for name, text in job.get("outputs", {}).items()}
        return {"passed": not contexts["failed"], "outputs": outputs}

    def _step(
        self, title: str, step: Mapping[str, Any], runner: Runner, contexts: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            if "uses" in step:
                given = {name: fill(str(value), contexts) for name, value in step.get("with", {}).items()}
                self.told.add(title, "ran", act(step["uses"], given, runner))
                return {"outputs": {}}
            need_what(step["run"], runner)
            return self._command(title, step, runner, contexts)
        except NotHere as reason:
            self.told.add(title, "not run here", str(reason))
        except (OSError, subprocess.SubprocessError) as error:
            contexts["failed"] = True
            self.told.add(title, "FAILED", str(error))
        return {"outputs": {}}

    def _command(
        self, title: str, step: Mapping[str, Any], runner: Runner, contexts: dict[str, Any]
    ) -> dict[str, Any]:
        answers = runner.artefacts.parent / "output"
        answers.write_text("")
        given = {name: fill(str(value), contexts) for name, value in step.get("env", {}).items()}
        print(f"::: {title}: {step['run']}", flush=True)
        # As GitHub's runner does it where no shell is named.
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=runner.checkout,
            env={**runner.environment, **given, "GITHUB_OUTPUT": str(answers)},
            stdin=subprocess.DEVNULL,
            check=False,
        )
        contexts["failed"] |= done.returncode != 0
        self.told.add(
            title,
            "FAILED" if done.returncode else "ran",
            f"exit code {done.returncode}" * (done.returncode != 0),
        )
        pairs = (line.split("=", 1) for line in answers.read_text().splitlines() if "=" in line)
        return {"outputs": dict(pairs)}

    def _environment(self, place: Path) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SECRETS_OF_OTHERS)}
        return {
            **kept,
            "CI": "true",
            "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
            # Beside the caller's sandbox, and not in it; short, for names of sockets may not be long.
            "ROLLBOOK_HOME": str(place / "home"),
            # Nobody's own keys are read: neither from files nor from the machine.
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _contexts(self, name: str, declared: Mapping[str, Any], done: Mapping[str, Any]) -> dict[str, Any]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        tag = f"v{project['version']}"
        ref = f"refs/tags/{tag}" if name == "release" else "refs/heads/main"
        needs_account = name in {"infra", "deploy"}
        return {
            "github": {
                "event_name": "push",
                "ref": ref,
                "ref_name": ref.split("/", 2)[2],
                "repository": "example/hello",
                "token": "",
            },
            "vars": self._variables() if needs_account else {},
            # A fresh sandbox has nothing that a canary could be compared with.
            "inputs": {"plan": "first"},
            "needs": dict(done),
            "env": declared.get("env", {}),
            "failed": False,
        }

    def _variables(self) -> dict[str, str]:
        """The repository's variables as docs/ci.md has them, for an account that is emulated."""
        values = (ROOT / "terraform" / "environments" / "emulator" / "emulator.tfvars").read_text()
        url = self.aws()
        backend = [
            f'bucket = "{BUCKET}"',
            'key = "rollbook/terraform.tfstate"',
            f'region = "{REGION}"',
            f'endpoints = {{ s3 = "{url}", sts = "{url}", iam = "{url}" }}',
            "use_path_style = true",
        ]
        return {
            "AWS_REGION": REGION,
            "AWS_ACCOUNT_ID": "000000000000",
            "AWS_DEPLOY_ROLE": "arn:aws:iam::000000000000:role/rollbook-deploy",
            "AWS_PLAN_ROLE": "arn:aws:iam::000000000000:role/plan",
            "AWS_APPLY_ROLE": "arn:aws:iam::000000000000:role/apply",
            "CLUSTER_NAME": "rollbook",
            "ECR_REPOSITORY": f"000000000000.dkr.ecr.{REGION}.amazonaws.com/hello",
            "TERRAFORM_BACKEND": "\n".join(backend),
            "TERRAFORM_VALUES": f'{values}\nendpoint_url = "{url}"\n',
        }


def _clear(runner: Runner) -> None:
    """A runner at GitHub ends with its job: here its sandbox has to be ended, and a big provider removed."""
    rollbook = runner.checkout / ".venv" / "bin" / "rollbook"
    if rollbook.exists():
        subprocess.run(
            [rollbook, "sandbox", "down"], env=runner.environment, cwd=runner.checkout, check=False
        )
    shutil.rmtree(runner.checkout / "terraform" / ".terraform", ignore_errors=True)


def _table(told: Told) -> Iterator[str]:
    yield ""
    for step, outcome, why in told.rows:
        yield f"{outcome:<13} {step}{': ' + why if why else ''}"


def main() -> int:
    """Command line; 0 when no step failed. Artefacts stay in the folder that is named at the end."""
    parser = argparse.ArgumentParser(prog="make ci-local", description=__doc__.splitlines()[0])
    parser.add_argument("workflows", nargs="*", metavar="WORKFLOW", help=f"{', '.join(ORDER)}; none: all")
    parser.add_argument("--without", action="append", default=[], metavar="STEP", help="leave out a step")
    asked = parser.parse_args()
    unknown = set(asked.workflows) - set(ORDER)
    if unknown:
        parser.error(f"there is no workflow {', '.join(sorted(unknown))}; there are {', '.join(ORDER)}")
    folder = Path(tempfile.mkdtemp(prefix="ci-"))
    told = Told()
    with ExitStack() as closing:
        local = Local(folder, frozenset(asked.without), told, closing)
        for name in asked.workflows or ORDER:
            local.workflow(name)
    print("\n".join(_table(told)))
    print(f"\nartefacts, summaries and checkouts: {folder}")
    return int(told.failed)


if __name__ == "__main__":
    sys.exit(main())
