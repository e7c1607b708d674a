"""What the parameters of every runbook share: the fields, and how values are checked.

The models are strict: a text is never taken for a number, nor a number for a text, for `1.10` that became 1.1
and an account that lost its leading zero would be told too late everywhere else. Only values that were typed
(`--set`, the form) are converted, by the type of the field.
"""

from __future__ import annotations

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

Target = Literal["sandbox", "aws", "kubeconfig"]
OptionalDigest = Annotated[str, StringConstraints(pattern=r"^$|^sha256:[0-9a-f]{64}$")]
OptionalRegion = Annotated[str, StringConstraints(pattern=r"^$|^[a-z]{2}(-[a-z]+)+-[0-9]$")]
OptionalCluster = Annotated[str, StringConstraints(pattern=r"^$|^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$")]
OptionalVersion = Annotated[str, StringConstraints(pattern=rf"(^$)|({VERSION_PATTERN})")]
OptionalName = Annotated[str, StringConstraints(pattern=rf"(^$)|({PHASE_NAME})")]
OptionalAccount = Annotated[str, StringConstraints(pattern=r"^$|^[0-9]{12}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=4096)]
"""A text of one line, such as a path."""
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


def validated(model: type[Parameters], values: Mapping[str, Any], source: str = "parameters") -> Parameters:
    """Check values against a model. BadInputError names the parameter and what it must be."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        known = list(model.model_fields)
        raise BadInputError(
            describe(error, source, known=known), next_step=expected(error, model, known)
        ) from error
