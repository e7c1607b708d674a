"""The parameters of each runbook: one model for `--set`, plans, notebooks, help, documents and the report."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field

from rollbook.errors import BadInputError
from rollbook.notebook.parameter_fields import (
    Line,
    OptionalAccount,
    OptionalDigest,
    OptionalName,
    OptionalVersion,
)
from rollbook.notebook.parameter_fields import RunbookParameters as RunbookParameters
from rollbook.notebook.parameter_fields import validated as validated
from rollbook.settings.yaml_tree import resolved

DECIMAL = r"[-+]?(?!0[0-9])[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"


class InfrastructureParameters(RunbookParameters):
    """What the runbooks take that make and end a target on AWS."""

    backend: Line = Field(
        "", description="file that says where Terraform's state is; empty: terraform/backend.hcl"
    )
    values: Line = Field(
        "", description="file with values of Terraform's variables; empty: terraform/terraform.tfvars"
    )
    addons: bool = Field(True, description="also install or remove the cluster's add-ons")
    charts: Line = Field("", description="folder with the add-ons' charts; empty: from their repositories")


class ProvisionParameters(InfrastructureParameters):
    """Parameters of `runbooks/provision.ipynb`."""

    budget: float = Field(
        250.0, ge=0, le=100_000, description="US dollars a month that it may cost; 0 to 100000"
    )
    accept_unknown: bool = Field(False, description="go on when something has no price in the table")
    account: OptionalAccount = Field(
        "", description="AWS account that it must be, 12 digits in quotes; empty: any"
    )


class DeployParameters(RunbookParameters):
    """Parameters of `runbooks/deploy.ipynb`."""

    version: OptionalVersion = Field(
        "",
        description="version to install: letters, digits, .+_- in quotes; empty: the service's first",
    )
    digest: OptionalDigest = Field(
        "", description="digest of an image in the registry, sha256:...; empty: build one of this version"
    )
    timeout_s: float = Field(
        120.0,
        gt=0,
        le=3600,
        description="seconds until the Rollout must be healthy; more than 0, at most 3600",
    )
    probes: int = Field(
        20, ge=1, le=1000, description="requests sent through the edge to verify traffic; 1 to 1000"
    )


class ExperimentParameters(RunbookParameters):
    """Parameters of `runbooks/experiment.ipynb`."""

    version: OptionalVersion = Field(
        "",
        description="version of b, in quotes; stable's own: an A/A test; empty: the next minor version",
    )
    digest: OptionalDigest = Field(
        "", description="digest of b's image in the registry, sha256:...; empty: build one of this version"
    )
    rate_a: float = Field(
        0.2, ge=0, le=1, description="simulated users: share of those on a who convert; 0 to 1"
    )
    rate_b: float = Field(
        0.26, ge=0, le=1, description="simulated users: share of those on b who convert; 0 to 1"
    )
    alpha: float = Field(
        0.05,
        ge=1e-6,
        le=0.2,
        description="share of experiments with equal variants that may name a winner; 1e-06 to 0.2",
    )
    effect: float = Field(
        0.03,
        ge=1e-3,
        le=0.5,
        description="smallest difference of the two rates that matters, as a share; 0.001 to 0.5",
    )
    require: Literal["any", "a", "b", "no-difference"] = Field(
        "any", description="verdict that must come out: any, a, b or no-difference"
    )
    rps: float = Field(
        80.0, gt=0, le=1000, description="user traffic in requests a second; more than 0, at most 1000"
    )
    timeout_s: float = Field(
        60.0, ge=5, le=7200, description="seconds of user traffic after which it ends undecided; 5 to 7200"
    )
    stop_early: bool = Field(True, description="end as soon as there is a verdict")
    replicas: int = Field(1, ge=1, le=50, description="pods of each variant; 1 to 50")


class CanaryParameters(RunbookParameters):
    """Parameters of `runbooks/canary.ipynb`."""

    version: OptionalVersion = Field(
        "",
        description="version to release: letters, digits, .+_- in quotes; empty: the next minor version",
    )
    digest: OptionalDigest = Field(
        "", description="digest of an image in the registry, sha256:...; empty: build one of this version"
    )
    fault: Line = Field("", description="fault of the service file to release on purpose; empty: none")
    drill: OptionalName = Field(
        "", description="drill of drills.yaml whose statements it is held against; empty: none"
    )
    expect: Literal["promoted", "rolled-back"] = Field(
        "promoted", description="verdict that must come out: promoted or rolled-back"
    )
    rps: float = Field(
        50.0, gt=0, le=1000, description="user traffic in requests a second; more than 0, at most 1000"
    )
    timeout_s: float = Field(
        300.0,
        gt=0,
        le=7200,
        description="seconds until the rollout must have ended; more than 0, at most 7200",
    )
    lead_s: float = Field(
        3.0, ge=0, le=300, description="seconds of traffic before and after the rollout; 0 to 300"
    )
    judge: Literal["off", "advise", "abort", "gate", "argo"] = Field(
        "advise",
        description="what the judge may do: off, advise, abort, gate or argo, as docs/judge.md has it",
    )
    alpha: float = Field(
        0.01,
        ge=1e-6,
        le=0.2,
        description="share of healthy canaries that the judge may call harmful; 1e-06 to 0.2",
    )
    margin: float = Field(
        0.01,
        ge=1e-4,
        le=0.5,
        description="share of errors above stable's that still counts as safe; 0.0001 to 0.5",
    )
    latency_margin: float = Field(
        0.025,
        ge=1e-4,
        le=0.5,
        description="share of slow requests above stable's that still counts as safe; 0.0001 to 0.5",
    )
    gate_budget_s: float = Field(
        60.0,
        ge=5,
        le=7200,
        description="seconds at a paused step until the gate does what undecided says; 5 to 7200",
    )
    undecided: Literal["abort", "advance"] = Field(
        "abort", description="what the gate does at a step whose time is over: abort or advance"
    )


class ValidateParameters(RunbookParameters):
    """Parameters of `runbooks/validate.ipynb`."""

    probes: int = Field(20, ge=1, le=1000, description="requests sent through the edge; 1 to 1000")


class TeardownParameters(InfrastructureParameters):
    """Parameters of `runbooks/teardown.ipynb`."""

    registry: bool = Field(True, description="also delete the image repository and the secret")
    environment: bool = Field(
        False, description="also end the target itself: take the sandbox down, destroy what is on AWS"
    )


MODELS: dict[str, type[RunbookParameters]] = {
    model.runbook(): model
    for model in (
        ProvisionParameters,
        DeployParameters,
        ExperimentParameters,
        CanaryParameters,
        ValidateParameters,
        TeardownParameters,
    )
}
"""The model of each runbook, by its name."""


def parse_set(text: str) -> tuple[str, str]:
    """Split `name=value` of `--set`; both are text. BadInputError when it is no such pair."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise BadInputError(
            f"--set {text[:60]}: it must be name=value", next_step="For example --set rps=50."
        )
    return name.strip(), value.strip()


def from_text(model: type[RunbookParameters], name: str, text: str) -> Any:
    """A value that was typed, in the type of its field; what cannot be it stays text, and is refused.

    Only `true` and `false` are booleans, and only decimal numbers without leading zeros are numbers: neither
    `yes` nor `nan` nor `1_000` is taken for one.
    """
    kind = model.model_fields[name].annotation
    if kind is bool:
        return {"true": True, "false": False}.get(text, text)
    if kind in (int, float) and re.fullmatch(DECIMAL, text):
        return resolved(text)
    return text
