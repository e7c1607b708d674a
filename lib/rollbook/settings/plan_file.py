"""The plan of a run: which phases, with which parameters, and what each is expected to end in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rollbook.settings.yaml_file import read

RunbookName = Literal["provision", "deploy", "canary", "validate", "teardown"]
Scalar = str | int | float | bool


class PlanPhase(BaseModel):
    """One phase: the runbook, a name that is unique in the plan, and what is set for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phase: RunbookName
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")] = ""
    expect: Literal["", "promoted", "rolled-back"] = ""
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _expect_only_of_canaries(self) -> Self:
        if self.expect and self.phase != "canary":
            raise ValueError("only a canary has a verdict to expect")
        return self

    @property
    def label(self) -> str:
        """The phase's name in the record."""
        return self.name or self.phase


class Plan(BaseModel):
    """Phases in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phases: tuple[PlanPhase, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        seen: set[str] = set()
        for phase in self.phases:
            if phase.label in seen:
                raise ValueError(f"two phases are called {phase.label!r}: give one of them a name")
            seen.add(phase.label)
        return self


def load(path: Path) -> Plan:
    """Read and check a plan. BadInputError names the line."""
    return read(path, Plan)


DEFAULT = Plan(
    phases=(
        PlanPhase(phase="provision"),
        PlanPhase(phase="deploy"),
        PlanPhase(phase="canary", expect="promoted"),
        PlanPhase(phase="canary", name="drill", expect="rolled-back", parameters={"fault": "errors"}),
        PlanPhase(phase="validate"),
    )
)
"""What `rollbook run` does when it is told nothing: a good release, then a faulty one on purpose."""
