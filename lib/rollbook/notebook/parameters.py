"""The parameters of each runbook: one model for `--set`, plans, notebooks, help, documents and the report.

The models are strict: a text is never taken for a number, nor a number for a text, for `1.10` that became 1.1
and an account that lost its leading zero would be told too late everywhere else. Only values that were typed
(`--set`, the form) are converted, by the type of the field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from rollbook.domain.target import TargetSpec, spec_of
from rollbook.errors import BadInputError
from rollbook.evidence.scrub import looks_like_a_secret
from rollbook.notebook.cells import readable_errors
from rollbook.settings.plan_file import PHASE_NAME
from rollbook.settings.service_file import VERSION_PATTERN
from rollbook.settings.yaml_file import describe, expected
from rollbook.settings.yaml_tree import resolved

Target = Literal["sandbox", "aws", "kubeconfig"]
OptionalDigest = Annotated[str, StringConstraints(pattern=r"^$|^sha256:[0-9a-f]{64}$")]
OptionalRegion = Annotated[str, StringConstraints(pattern=r"^$|^[a-z]{2}(-[a-z]+)+-[0-9]$")]
OptionalCluster = Annotated[str, StringConstraints(pattern=r"^$|^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$")]
OptionalVersion = Annotated[str, StringConstraints(pattern=rf"(^$)|({VERSION_PATTERN})")]
OptionalName = Annotated[str, StringConstraints(pattern=rf"(^$)|({PHASE_NAME})")]
OptionalAccount = Annotated[str, StringConstraints(pattern=r"^$|^[0-9]{12}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=4096)]
"""A text of one line, such as a path."""
DECIMAL = r"[-+]?(?!0[0-9])[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"
Parameters = TypeVar("Parameters", bound="RunbookParameters")


class RunbookParameters(BaseModel):
    """What every runbook takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    target: Target = Field("sandbox", description="where to release: sandbox, aws or kubeconfig")
    region: OptionalRegion = Field("", description="AWS region; empty: that of the profile")
    cluster: OptionalCluster = Field(
        "", description="name of the EKS cluster; empty: rollbook, as terraform/ has it"
    )
    endpoint_url: Line = Field(
        "", description="an emulator of AWS on this machine, or sandbox for the sandbox's; empty: AWS"
    )
    context: Line = Field("", description="context of the kubeconfig, for the target kubeconfig")
    service: Line = Field(
        "service.yaml", min_length=1, description="service file; looked for here and in the folders above"
    )
    run: Line = Field("", description="folder of the run to go on with; empty: a new one under reports/")
    name: OptionalName = Field(
        "",
        description="name of this phase in the record: lower-case letters, digits, -; empty: the runbook's",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_secret(cls, value: object) -> object:
        reason = looks_like_a_secret(value) if isinstance(value, str) else ""
        if reason:
            raise PydanticCustomError(
                "secret", "{reason}, and parameters are kept in the record", {"reason": reason}
            )
        return value

    @classmethod
    def runbook(cls) -> str:
        """Name of the runbook that these parameters are of."""
        return cls.__name__.removesuffix("Parameters").lower()

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Check what a parameters cell holds. BadInputError names the parameter and what it must be."""
        readable_errors()
        return validated(cls, values)

    def form(self) -> Self:
        """In an interactive notebook, show the fields, ask for changes, and give back what was settled on.

        Where nobody can answer (papermill, a script) these are the parameters, unchanged. A wrong answer is
        told, and asked for again.
        """
        from rollbook.notebook.form import fill_in

        return fill_in(self)

    @property
    def spec(self) -> TargetSpec:
        """Where to release."""
        return spec_of(self.model_dump())

    @property
    def label(self) -> str:
        """Name of this phase in the record."""
        return self.name or self.runbook()

    def _repr_html_(self) -> str:
        from rollbook.notebook.display import table

        fields = type(self).model_fields
        return table(
            ("parameter", "value", "meaning"),
            [(name, getattr(self, name), fields[name].description or "") for name in fields],
        )


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
        CanaryParameters,
        ValidateParameters,
        TeardownParameters,
    )
}
"""The model of each runbook, by its name."""


def validated(model: type[Parameters], values: Mapping[str, Any], source: str = "parameters") -> Parameters:
    """Check values against a model. BadInputError names the parameter and what it must be."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        known = list(model.model_fields)
        raise BadInputError(
            describe(error, source, known=known), next_step=expected(error, model, known)
        ) from error


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
