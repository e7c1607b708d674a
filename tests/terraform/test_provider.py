"""Terraform's code with the real provider, and without AWS."""

from __future__ import annotations

import json
import re

import pytest
from tests.terraform.conftest import SOURCE, TIMEOUT_S, Terraform

pytestmark = pytest.mark.timeout(2 * TIMEOUT_S)

RUN = re.compile(r'^run "(\w+)"', re.MULTILINE)


def test_the_provider_accepts_the_code(terraform: Terraform) -> None:
    """`terraform validate` finds neither an error nor a warning."""
    told = json.loads(terraform.run("validate", "-json").stdout)

    assert (True, 0, 0, []) == (
        told["valid"],
        told["error_count"],
        told["warning_count"],
        told["diagnostics"],
    )


def test_terraforms_own_tests_pass(terraform: Terraform) -> None:
    """Every run of tests/*.tftest.hcl passes, and none was left out."""
    wanted = {
        (f"tests/{path.name}", name)
        for path in (SOURCE / "tests").glob("*.tftest.hcl")
        for name in RUN.findall(path.read_text())
    }
    ended = terraform.run("test", "-json", "-no-color")
    events = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    problems = [event["diagnostic"]["summary"] for event in events if event["type"] == "diagnostic"]
    passed = {
        (event["test_run"]["path"], event["test_run"]["run"])
        for event in events
        if event["type"] == "test_run" and event["test_run"].get("status") == "pass"
    }

    assert [] == problems
    assert wanted == passed
    assert 0 == ended.returncode
