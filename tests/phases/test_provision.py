"""The provision phase."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.phases.fakes import stage

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.phases import provision


def test_components_are_written_down(tmp_path: Path) -> None:
    """Every component is in the journal, with its version and health."""
    on = stage(tmp_path)

    found = provision.check_components(on.ctx)

    written = {entry.data["name"] for entry in on.ctx.journal.entries() if entry.name == "component"}
    assert {one.name for one in found} == written == {"kube-apiserver", "alertmanager", "ECR"}


def test_a_sick_component_fails_the_environment(tmp_path: Path) -> None:
    """The error names what is not healthy."""
    on = stage(tmp_path)
    on.metrics.alertmanager_healthy = False

    with pytest.raises(EnvironmentFailedError, match="not every component is healthy: alertmanager"):
        provision.check_components(on.ctx)


def test_the_expected_account_passes(tmp_path: Path) -> None:
    """A 12-digit account id keeps its leading zeros."""
    assert provision.check_identity(stage(tmp_path).ctx, account="000000000012").account == "000000000012"


def test_another_account_is_refused(tmp_path: Path) -> None:
    """Nothing is made in an account that was not meant."""
    with pytest.raises(BadInputError, match="AWS account 000000000012 is not 123456789012"):
        provision.check_identity(stage(tmp_path).ctx, account="123456789012")


def test_the_secrets_first_value_is_made_and_not_kept(tmp_path: Path) -> None:
    """The record has the secret's ARN, never its value."""
    on = stage(tmp_path)

    registry = provision.ensure_registry(on.ctx)

    assert registry.repository == "registry/orders"
    assert registry.secret_arn == "arn:orders/config:True"
