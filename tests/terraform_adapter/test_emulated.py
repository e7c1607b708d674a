"""The real AWS provider through the adapter, against an emulated AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.coverage.worlds import World
from tests.ministack import running
from tests.terraform.conftest import MIRROR
from tests.terraform.emulated_account import Account
from tests.terraform_adapter.conftest import HERE, Kept, Make, environ

from rollbook.coverage.checks import terraform as checks
from rollbook.coverage.model import State
from rollbook.errors import EnvironmentFailedError
from rollbook.terraform.command import Terraform
from rollbook.terraform.differences import PLACE, known
from rollbook.terraform.folder import Inputs
from rollbook.terraform.port import Event, EventKind

SOURCE = HERE / "emulated"
ADDRESSES = {
    "aws_kms_key.this",
    "aws_ecr_repository.this",
    "aws_ecr_lifecycle_policy.this",
    "aws_secretsmanager_secret.this",
}


@pytest.fixture
def ministack(tmp_path: Path) -> Iterator[str]:
    """URL of a MiniStack that runs for one test."""
    folder = tmp_path / "ministack"
    folder.mkdir()
    with running(folder) as url:
        yield url


def had(terraform: Terraform) -> Terraform:
    """The adapter, initialised; skips when there is no provider."""
    try:
        terraform.components()
    except EnvironmentFailedError as error:
        if os.environ.get(MIRROR):
            raise
        pytest.skip(f"the provider cannot be had from the registry, and {MIRROR} names no mirror: {error}")
    return terraform


@pytest.mark.slow
def test_made_looked_at_and_destroyed(make: Make, kept: Kept, ministack: str) -> None:
    """What was planned is made with progress, is as written afterwards, and goes again without a rest."""
    events: list[Event] = []
    account = Account(ministack, "us-east-1")
    before = account.everything()
    # Real credentials must not reach an emulator, and ways around it must not be taken.
    env = environ(AWS_PROFILE="nobody", AWS_ENDPOINT_URL="http://127.0.0.1:9", TF_CLI_ARGS="-help")
    inputs = Inputs.emulated(SOURCE, ministack)
    terraform = had(make(source=SOURCE, inputs=inputs, env=env, progress=events.append))

    assert [("Terraform provider aws", "6.47.1")] == [
        (one.name, one.version) for one in terraform.components()[1:]
    ]
    plan = terraform.plan()
    assert ADDRESSES == {one.address for one in plan.adds}
    applied = terraform.apply(plan)
    assert ADDRESSES == set(applied.created) == {one.address for one in applied.resources}
    assert ADDRESSES == {
        one.address for one in events if one.kind is EventKind.DONE and one.action == "create"
    }
    found = terraform.outputs()
    assert (None, "subnet-1", ("192.0.2.1",)) == (
        found.deploy_role_arn,
        found.node_subnet_ids["us-east-1a"],
        found.nat_public_ips,
    )
    assert found.repository_url.endswith("/adapter")

    # Somebody plans with another value in the same folder; the next plan is by one's own again.
    other = make(source=SOURCE, inputs=Inputs.emulated(SOURCE, ministack, images_kept=9), env=env)
    drift = other.drift()
    assert (False, [("aws_ecr_lifecycle_policy.this", ("policy",))]) == (
        drift.clean,
        [(one.address, one.differing) for one in drift.unexpected],
    )
    assert terraform.drift().clean
    world = World({})
    for asked, status, answer in kept.records:
        world.answered(asked.of, asked.call, answer, status=status, **asked.parameters)
    bundle = world.bundle()
    proved = [checks.applied(bundle, "aws_kms_key"), checks.plan_clean(bundle)]
    assert [(State.PROVED, True)] * 2 == [(one.state, one.emulated) for one in proved]

    gone = terraform.destroy()
    assert (ADDRESSES, ()) == (set(gone.deleted), gone.resources)
    assert set() == account.everything() - before


def test_the_list_of_differences_is_read_as_it_is_written() -> None:
    """Each item of differences.yaml has become a known difference."""
    path = Path(__file__).parents[2] / "terraform" / PLACE
    assert [one["address"] for one in YAML(typ="safe").load(path.read_text())] == [
        one.address for one in known(path)
    ]
