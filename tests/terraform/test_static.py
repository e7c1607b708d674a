"""Terraform's code as text: form, rules, exceptions, and the documents beside it."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.terraform import reference
from tests.terraform.conftest import SOURCE, environment
from tests.terraform.tools import Command

SKIPPED = re.compile(r"#checkov:skip=(\w+):(.*)$")
FILES = sorted(path for path in SOURCE.rglob("*.tf") if ".terraform" not in path.parts)
MODULES = sorted(path for path in (SOURCE / "modules").iterdir() if path.is_dir())


def run(command: Command, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command.argv, *arguments],
        cwd=SOURCE,
        env={**environment(home), **command.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_code_has_the_form_that_terraform_gives_it(terraform_binary: str, tmp_path: Path) -> None:
    """`terraform fmt` would change nothing."""
    command = Command((terraform_binary,), {})
    done = run(command, "fmt", "-check", "-recursive", "-list=true", home=tmp_path)

    assert (0, "") == (done.returncode, done.stdout)


def test_tflint_finds_nothing(tflint: Command, tmp_path: Path) -> None:
    """Every rule of its set for Terraform is on: types, descriptions, versions, names, what is not used."""
    done = run(tflint, "--recursive", "--config", str(SOURCE / ".tflint.hcl"), "--format=json", home=tmp_path)
    told = json.loads(done.stdout)

    assert ([], []) == (told["issues"], told["errors"])


def test_tflint_would_find_something(tflint: Command, tmp_path: Path) -> None:
    """A variable without a type that nothing uses is found with the same configuration."""
    (tmp_path / "main.tf").write_text('variable "unused" {}\n')
    done = run(
        tflint, f"--chdir={tmp_path}", "--config", str(SOURCE / ".tflint.hcl"), "--format=json", home=tmp_path
    )
    rules = {issue["rule"]["name"] for issue in json.loads(done.stdout)["issues"]}

    assert {"terraform_typed_variables", "terraform_unused_declarations"} <= rules


@pytest.fixture(scope="module")
def scanned(checkov: Command, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What checkov says of the whole folder, without asking its vendor for anything."""
    options = ("--framework", "terraform", "--skip-download", "--output", "json")
    done = run(checkov, "--directory", str(SOURCE), *options, home=tmp_path_factory.mktemp("checkov"))
    return json.loads(done.stdout)


def test_checkov_finds_nothing(scanned: Any) -> None:
    """No check fails, and a hundred or so were made."""
    failed = [(check["check_id"], check["resource"]) for check in scanned["results"]["failed_checks"]]

    assert ([], []) == (failed, scanned["results"]["parsing_errors"])
    assert scanned["summary"]["passed"] > 90


def test_every_exception_is_in_use(scanned: Any) -> None:
    """What the code tells checkov to leave out is what it left out: an exception that is not needed goes."""
    written = {
        (path.relative_to(SOURCE).as_posix(), match[1])
        for path in FILES
        for line in path.read_text().splitlines()
        if (match := SKIPPED.search(line))
    }
    used = {
        (check["file_path"].lstrip("/"), check["check_id"]) for check in scanned["results"]["skipped_checks"]
    }

    assert written == used


def test_every_exception_has_a_reason() -> None:
    """Beside each stands a sentence, and not just the number of a check."""
    reasons = {
        f"{path.name}: {match[1]}": match[2]
        for path in FILES
        for line in path.read_text().splitlines()
        if (match := SKIPPED.search(line))
    }

    assert reasons
    assert {} == {name: reason for name, reason in reasons.items() if len(reason.split()) < 8}


def test_inputs_and_outputs_of_the_readme_are_the_codes(hcl_to_json: Command) -> None:
    """The tables are made from the code: .venv/bin/python -m tests.terraform.reference"""
    text = (SOURCE / "README.md").read_text()

    assert reference.tables(hcl_to_json) == reference.section(text)


def test_each_module_has_the_files_that_people_look_for() -> None:
    """main.tf, variables.tf, outputs.tf and versions.tf are in every module."""
    wanted = {"main.tf", "variables.tf", "outputs.tf", "versions.tf"}

    assert {"budget", "cluster", "github", "network", "registry", "secrets"} == {
        path.name for path in MODULES
    }
    assert {} == {
        path.name: missing
        for path in MODULES
        if (missing := wanted - {file.name for file in path.glob("*.tf")})
    }


def test_only_the_aws_provider_is_used(hcl_to_json: Command) -> None:
    """A kubernetes or helm provider in the state that makes the cluster would get in the way of destroy."""
    versions = [path for path in FILES if path.name == "versions.tf"]
    named = {
        name
        for content in reference.parsed(hcl_to_json, *versions)
        for block in content["terraform"]
        for providers in block["required_providers"]
        for name in providers
    }
    used = {
        kind.partition("_")[0]
        for content in reference.parsed(hcl_to_json, *FILES)
        for block in [*content.get("resource", []), *content.get("data", [])]
        for kind in block
    }

    assert ({"aws"}, {"aws"}) == (named, used)


def test_the_example_gives_every_required_input(hcl_to_json: Command) -> None:
    """terraform.tfvars.example has each input without a default, and nothing that is no input."""
    declared, given = reference.parsed(
        hcl_to_json, SOURCE / "variables.tf", SOURCE / "terraform.tfvars.example"
    )
    inputs = reference.blocks(declared, "variable")
    required = {name for name, body in inputs.items() if "default" not in body}

    assert required <= set(given)
    assert set(given) <= set(inputs)


def test_prices_have_a_date_a_unit_and_a_source() -> None:
    """An estimate says of which day it is and where its numbers are from."""
    table = YAML(typ="safe").load((SOURCE / "prices.yaml").read_text())
    units = {"hour", "zone_hour", "capacity_unit_hour", "GB", "GB_month", "month", "usd_of_ec2"}

    assert ("USD", "us-east-1", dt.date) == (table["currency"], table["region"], type(table["date"]))
    assert {} == {
        name: price
        for name, price in table["prices"].items()
        if set(price) != {"usd", "unit", "source"}
        or price["usd"] < 0
        or price["unit"] not in units
        or len(price["source"].split()) < 3
    }
