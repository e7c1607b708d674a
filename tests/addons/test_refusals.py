"""What helm says when it fails, told with a next step."""

from __future__ import annotations

import pytest
from tests.addons.conftest import PINNED

from rollbook.errors import ExitCode
from rollbook.helm.command import Done
from rollbook.helm.refusals import refusal

TRAEFIK = next(each for each in PINNED if each.name == "traefik")


@pytest.mark.parametrize(
    ("said", "what", "code", "step"),
    [
        ("Error: values don't meet the specifications of the schema(s)", "installed", 2, "values.yaml"),
        (
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
            "installed",
            4,
            "rollback",
        ),
        ("Error: kubernetes cluster unreachable: Get: connection refused", "installed", 4, "API server"),
        ("Error: query: failed: secrets is forbidden: User x cannot list", "installed", 4, "administrators"),
        ("Error: release traefik failed: context deadline exceeded", "installed", 4, "kubectl get pods"),
        (
            'Error: looks like "x" is not a valid chart repository: no such host',
            "fetched",
            4,
            "can be reached",
        ),
        ("Error: something new", "removed", 4, "Correct what helm names"),
    ],
)
def test_a_failure_tells_what_to_do(said: str, what: str, code: int, step: str) -> None:
    """Exit code and next step follow from helm's words, and its own reason is kept."""
    error = refusal(TRAEFIK, what, Done(1, "", f"level=WARN msg=x\n{said}\n"))

    assert (ExitCode(code), f"the add-on traefik could not be {what}") == (error.exit_code, error.what)
    assert said.removeprefix("Error: ") == error.why
    assert step in error.next_step
