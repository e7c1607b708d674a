"""What the deploy role may do in AWS, beside what a release calls, and which workflows may assume it."""

from __future__ import annotations

import re

from ruamel.yaml import YAML
from tests.terraform import reference
from tests.terraform.conftest import ROOT, SOURCE
from tests.terraform.tools import Command

from rollbook.aws.actions import CALLS, NEEDS_NONE, Purpose

ROLE = SOURCE / "modules" / "github" / "main.tf"
ACTION = re.compile(r'"((?:[a-z0-9-]+):[A-Z][A-Za-z]+)"')
OF_DOCKER = {"ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"}
"""Asked by the workflow's own steps: the login to the registry, and reading an image's attestations back."""


def test_the_role_has_what_a_release_calls_and_nothing_else() -> None:
    """Each action of its policy is one that rollbook or Docker needs, and none is missing."""
    policy = ROLE.read_text().partition('resource "aws_iam_role_policy"')[2]
    needed = {
        one.action
        for one in CALLS
        if one.purpose is Purpose.RELEASE and f"{one.service}:{one.operation}" not in NEEDS_NONE
    }

    assert needed | OF_DOCKER == set(ACTION.findall(policy))


def test_the_role_may_be_assumed_where_the_workflows_assume_it(hcl_to_json: Command) -> None:
    """The environments of jobs that use the role are the default, and those of the documents."""
    used = {
        job["environment"]
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
        for job in YAML(typ="safe").load(path.read_text())["jobs"].values()
        if "vars.AWS_DEPLOY_ROLE" in str(job)
    }
    (variables,) = reference.parsed(hcl_to_json, SOURCE / "variables.tf")
    default = re.search(
        r"environments\W+optional\(set\(string\), ?\[(.*?)\]",
        str(reference.blocks(variables, "variable")["github"]),
    )

    assert default is not None
    assert used == set(re.findall(r"[a-z-]+", default[1]))
