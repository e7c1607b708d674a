"""Where a release goes, and what is refused before anything is started."""

from __future__ import annotations

import pytest

from rollbook.domain.target import TargetSpec, check, spec_of
from rollbook.errors import BadInputError


@pytest.mark.parametrize(
    "spec",
    [
        TargetSpec(),
        TargetSpec("aws"),
        TargetSpec("aws", region="eu-central-1", cluster="payments"),
        TargetSpec("aws", endpoint_url="sandbox"),
        TargetSpec("aws", endpoint_url="http://127.0.0.1:4566"),
        TargetSpec("kubeconfig", context="kind-dev"),
    ],
)
def test_what_fits_is_taken(spec: TargetSpec) -> None:
    """Each target with the options that are for it."""
    assert spec is check(spec)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (TargetSpec("mars"), "unknown target 'mars'"),
        (TargetSpec(region="eu-central-1"), "--region is not for the target sandbox"),
        (TargetSpec("aws", context="dev"), "--context is not for the target aws"),
        (TargetSpec("kubeconfig", context="dev", cluster="x"), "--cluster is not for the target kubeconfig"),
        (TargetSpec("kubeconfig"), "needs the name of a context"),
        (TargetSpec("aws", endpoint_url="http://10.0.0.1:4566"), "is no emulator on this machine"),
        (TargetSpec("aws", endpoint_url="http://127.0.0.1"), "is no emulator on this machine"),
        (TargetSpec("aws", endpoint_url="http://127.0.0.1:4566/x"), "is no emulator on this machine"),
        (TargetSpec("aws", endpoint_url="http://127.0.0.1:many"), "is not a URL"),
        (TargetSpec("aws", endpoint_url="http://me@127.0.0.1:4566"), "is no emulator on this machine"),
    ],
)
def test_what_does_not_fit_is_refused(spec: TargetSpec, complaint: str) -> None:
    """The option is named; an emulator that is not on this machine never gets a request."""
    with pytest.raises(BadInputError, match=complaint):
        check(spec)


def test_parameters_name_a_target() -> None:
    """What is not of the target is passed over, and so is what is empty."""
    found = spec_of({"target": "aws", "region": "eu-west-1", "cluster": "", "rps": 50.0})

    assert TargetSpec("aws", region="eu-west-1") == found
    assert {"region": "eu-west-1"} == found.options()
