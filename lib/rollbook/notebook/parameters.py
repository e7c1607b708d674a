"""The parameters of each runbook: one model drives validation, the command line's `--set` and the report."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rollbook.errors import BadInputError
from rollbook.notebook.cells import readable_errors
from rollbook.settings.service_file import VERSION_PATTERN
from rollbook.settings.yaml_file import describe

Target = Literal["sandbox"]
OptionalVersion = Annotated[str, StringConstraints(pattern=rf"(^$)|({VERSION_PATTERN})")]
Parameters = TypeVar("Parameters", bound="RunbookParameters")


class RunbookParameters(BaseModel):
    """What every runbook takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Target = Field("sandbox", description="where to release: sandbox")
    service: str = Field("service.yaml", description="service file; looked for here and in the folders above")
    run: str = Field("", description="folder of the run to go on with; empty: a new one under reports/")
    name: str = Field("", description="name of this phase in the record; empty: the runbook's")

    @classmethod
    def runbook(cls) -> str:
        """Name of the runbook that these parameters are of."""
        return cls.__name__.removesuffix("Parameters").lower()

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Check what a parameters cell holds. BadInputError names the parameter and what it must be."""
        readable_errors()
        return validated(cls, values)

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


class ProvisionParameters(RunbookParameters):
    """Parameters of `runbooks/provision.ipynb`."""


class DeployParameters(RunbookParameters):
    """Parameters of `runbooks/deploy.ipynb`."""

    version: OptionalVersion = Field(
        "", description="version to install; empty: initialVersion of the service"
    )
    timeout_s: float = Field(120.0, gt=0, le=3600, description="seconds until the Rollout must be healthy")
    probes: int = Field(20, ge=1, le=1000, description="requests sent through the edge to verify traffic")


class CanaryParameters(RunbookParameters):
    """Parameters of `runbooks/canary.ipynb`."""

    version: OptionalVersion = Field("", description="version to release; empty: the next minor version")
    fault: str = Field("", description="fault of the service file to release on purpose; empty: none")
    expect: Literal["promoted", "rolled-back"] = Field("promoted", description="verdict that must come out")
    rps: float = Field(50.0, gt=0, le=1000, description="user traffic in requests a second")
    timeout_s: float = Field(300.0, gt=0, le=7200, description="seconds until the rollout must have ended")
    lead_s: float = Field(3.0, ge=0, le=300, description="seconds of traffic before and after the rollout")


class ValidateParameters(RunbookParameters):
    """Parameters of `runbooks/validate.ipynb`."""

    probes: int = Field(20, ge=1, le=1000, description="requests sent through the edge")


class TeardownParameters(RunbookParameters):
    """Parameters of `runbooks/teardown.ipynb`."""

    registry: bool = Field(True, description="also delete the image repository and the secret")
    environment: bool = Field(False, description="also take the sandbox itself down")


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


def validated(model: type[Parameters], values: dict[str, Any], source: str = "parameters") -> Parameters:
    """Check values against a model. BadInputError names the parameter and what it must be."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        known = ", ".join(model.model_fields)
        raise BadInputError(
            describe(error, source), next_step=f"{model.runbook()} takes: {known}."
        ) from error


def parse_set(text: str) -> tuple[str, str]:
    """Split `name=value` of `--set`. The value stays text: the model decides its type."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise BadInputError(f"--set {text}: it must be name=value", next_step="For example --set rps=50.")
    return name.strip(), value.strip()
