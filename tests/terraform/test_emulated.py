"""The whole of it against an emulated AWS: made, planned again, destroyed, and looked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.ministack import running
from tests.terraform.conftest import SOURCE, Terraform
from tests.terraform.emulated_account import Account

REGION = "us-east-1"
EMULATOR = SOURCE / "environments" / "emulator"
WHOLE_MINUTES = 4


@dataclass(frozen=True)
class Flow:
    """What was seen on the way."""

    outputs: dict[str, Any]
    made: set[str]
    tags: dict[str, set[str]]
    changes: list[dict[str, Any]]
    destroyed: str
    left: set[str]


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a MiniStack that runs for these tests only."""
    with running(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture(scope="module")
def flow(terraform: Terraform, ministack: str) -> Flow:
    """apply, plan, destroy, once; what goes wrong on the way fails the test that asked first."""
    options = (
        "-no-color",
        "-input=false",
        f"-var-file={EMULATOR / 'emulator.tfvars'}",
        f"-var=endpoint_url={ministack}",
    )
    account = Account(ministack, REGION)
    before = account.everything()  # each region has a default network
    terraform.done("apply", "-auto-approve", *options)
    outputs = json.loads(terraform.done("output", "-json"))
    made = account.everything() - before
    tags = account.tags()
    planned = terraform.run("plan", "-detailed-exitcode", "-out=again.tfplan", *options)
    assert planned.returncode in (0, 2), planned.stderr
    changes = json.loads(terraform.done("show", "-json", "again.tfplan"))["resource_changes"]
    destroyed = terraform.done("destroy", "-auto-approve", *options)
    return Flow(outputs, made, tags, changes, destroyed, account.everything() - before)


def kinds(names: set[str]) -> set[str]:
    return {name.partition(" ")[0] for name in names}


def differences(change: dict[str, Any]) -> list[str]:
    """Attributes that the plan would change, without those that only AWS decides."""
    before, after = change["before"] or {}, change["after"] or {}
    unknown = change["after_unknown"]
    return sorted(
        name
        for name in before.keys() | after.keys()
        if unknown.get(name) is not True and (before.get(name) or None) != (after.get(name) or None)
    )


@pytest.mark.timeout(WHOLE_MINUTES * 60)
def test_everything_is_made(flow: Flow) -> None:
    """Each kind of thing that the code speaks of exists after apply."""
    wanted = {
        "address", "alias", "budget", "cluster", "flow_log", "internet_gateway", "key", "launch_template",
        "log_group", "nat_gateway", "oidc_provider", "repository", "role", "route_table", "secret", "subnet",
        "vpc", "vpc_endpoint",
    }  # fmt: skip

    assert set() == wanted - kinds(flow.made)
    assert {
        "cluster rollbook",
        "repository hello",
        "secret hello/config",
        "role rollbook-deploy",
    } <= flow.made


def test_outputs_have_values(flow: Flow) -> None:
    """Whoever reads the outputs finds each, of the type that it is for; only the emulator has no CA."""
    texts = {
        name for name, output in flow.outputs.items() if output["type"] == "string" and output["value"] == ""
    }

    assert {"cluster_certificate_authority_data"} == texts
    assert ("rollbook", "1.36", "000000000000") == tuple(
        flow.outputs[name]["value"] for name in ("cluster_name", "cluster_version", "account_id")
    )
    assert ["us-east-1a", "us-east-1b", "us-east-1c"] == sorted(flow.outputs["node_subnet_ids"]["value"])
    assert 1 == len(flow.outputs["nat_public_ips"]["value"])


def test_what_was_made_says_whose_it_is_and_until_when(flow: Flow) -> None:
    """Everything of the network that carries tags has the owner's and the expiry's."""
    wanted = {"project", "environment", "owner", "expires", "managed-by"}
    ids = {name.partition(" ")[2] for name in flow.made}
    tagged = {name: keys for name, keys in flow.tags.items() if name in ids}

    assert len(tagged) > 12
    assert {} == {name: wanted - keys for name, keys in tagged.items() if wanted - keys}


def test_a_second_plan_shows_what_the_emulator_leaves_out_and_nothing_else(flow: Flow) -> None:
    """What it would change is what differences.yaml lists, attribute by attribute."""
    listed = YAML(typ="safe").load((EMULATOR / "differences.yaml").read_text())
    actions = {("update",): "update", ("delete", "create"): "replace", ("create", "delete"): "replace"}
    seen = [
        {
            "address": one["address"],
            "action": actions.get(tuple(one["change"]["actions"]), str(one["change"]["actions"])),
            "attributes": differences(one["change"]),
        }
        for one in flow.changes
        if one["mode"] == "managed" and one["change"]["actions"] != ["no-op"]
    ]

    assert [] == [one["address"] for one in listed if len(one["why"].split()) < 5]
    assert [{key: one[key] for key in ("address", "action", "attributes")} for one in listed] == sorted(
        seen, key=lambda one: str(one["address"])
    )


def test_destroy_leaves_nothing(flow: Flow) -> None:
    """After destroy, none of what apply made is in the account."""
    assert f"Destroy complete! Resources: {len(flow.changes)} destroyed." in flow.destroyed
    assert set() == flow.left
