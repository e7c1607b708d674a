"""The plan of a run: which phases, with which parameters, and what each is expected to end in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from rollbook.errors import BadInputError
from rollbook.settings import yaml_file
from rollbook.settings.yaml_tree import Location, Tree

RunbookName = Literal["provision", "deploy", "experiment", "canary", "validate", "teardown"]
PHASE_NAME = r"^[a-z][a-z0-9-]{0,40}$"
Deadline = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
OPTIONS = {
    "target": "--target",
    "region": "--region",
    "cluster": "--cluster",
    "endpoint_url": "--endpoint-url",
    "context": "--context",
    "service": "--service",
    "run": "--out",
    "name": "the phase's own `name`",
}
"""Parameters that the launcher sets itself, and where they are set instead."""


class PlanPhase(BaseModel):
    """One phase: the runbook, a name that is unique in the plan, and what is set for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phase: RunbookName
    name: Annotated[str, StringConstraints(pattern=PHASE_NAME)] = ""
    expect: Literal["", "promoted", "rolled-back"] = ""
    deadline_s: Deadline | None = None
    """Seconds that the whole phase may take; None: what its own time limits need, and half an hour."""
    cell_deadline_s: Deadline | None = None
    """Seconds that one cell of it may take; None: as long as the phase."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    independent: bool = False
    """Whether later phases run even when this one does not pass, as drills do; the run ends with its code."""

    @model_validator(mode="after")
    def _one_verdict_of_canaries(self) -> Self:
        if self.expect and self.phase != "canary":
            raise PydanticCustomError("expect", "only a canary has a verdict to expect", {"at": ["expect"]})
        if self.expect and self.parameters.get("expect", self.expect) != self.expect:
            raise PydanticCustomError(
                "expect", "the verdict to expect is given twice, and not the same", {"at": ["expect"]}
            )
        return self

    @property
    def label(self) -> str:
        """The phase's name in the record."""
        return self.name or self.phase


class Plan(BaseModel):
    """Phases in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phases: tuple[PlanPhase, ...] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        seen: set[str] = set()
        for number, phase in enumerate(self.phases):
            if phase.label in seen:
                raise PydanticCustomError(
                    "duplicate_phase",
                    "two phases are called '{label}': give one of them a `name`",
                    {"label": phase.label, "at": ["phases", number]},
                )
            seen.add(phase.label)
        return self


def load(path: Path, models: Mapping[str, type[BaseModel]]) -> Plan:
    """Read and check a plan; `models` has the model of each runbook's parameters, by the runbook's name.

    BadInputError names the line of the first thing that is wrong, also of a parameter.
    """
    tree = yaml_file.load(path, Plan, hint="Give the path of a plan; the README has an example.")
    plan = yaml_file.validate(tree, Plan, path.name)
    for number, phase in enumerate(plan.phases):
        _check_parameters(phase, models[phase.phase], path.name, tree, ("phases", number, "parameters"))
    return plan


def _check_parameters(
    phase: PlanPhase, model: type[BaseModel], source: str, tree: Tree, at: Location
) -> None:
    for name in phase.parameters:
        if name in OPTIONS:
            where = ".".join(str(part) for part in (*at, name))
            raise BadInputError(
                f"{source} line {tree.place((*at, name)).line}: {where}: a plan cannot set it",
                next_step=f"Use {OPTIONS[name]}.",
            )
    try:
        model.model_validate(phase.parameters)
    except ValidationError as error:
        known = [name for name in model.model_fields if name not in OPTIONS]
        raise BadInputError(
            yaml_file.describe(error, source, tree, at=at, known=known),
            next_step=yaml_file.expected(error, model, known),
        ) from error


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
