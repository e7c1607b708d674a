"""`drills.yaml`: the drills of a service, and what must come of each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from rollbook.domain.drill import AlertWanted, Drill, EndedBy, Must
from rollbook.domain.traffic import Cause
from rollbook.settings.yaml_file import load as load_yaml
from rollbook.settings.yaml_file import validate

DrillName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,24}$")]
FailureCause = Literal["app-error", "client-error", "proxy-error", "reset", "refused", "timeout"]
JudgeVerdict = Literal["harmful", "safe", "undecided", "no-data"]
HINT = "Name it in the service file: drills: drills.yaml."


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AlertSection(_Strict):
    """An alert that somebody must be told of."""

    name: str = Field(min_length=1)
    within: float = Field(gt=0, le=3600)
    """Seconds after the abort."""
    or_held_back: bool = Field(default=False, alias="or-held-back")
    """It counts as well when another alert holds it back."""


class MustSection(_Strict):
    """What must come of it."""

    end: Literal["promoted", "rolled-back"]
    by: list[EndedBy] = Field(default_factory=list)
    detect: float | None = Field(default=None, gt=0, le=3600)
    """Seconds."""
    failed: float = Field(default=1.0, ge=0, le=1)
    """Share of all users' requests."""
    causes: list[FailureCause] = Field(default_factory=list)
    never: list[JudgeVerdict] = Field(default_factory=list)
    alerts: list[AlertSection] = Field(default_factory=list)
    alert: AlertSection | None = None
    """The same for one, as files had it before there were several."""

    @model_validator(mode="after")
    def _of_a_bad_one(self) -> Self:
        for name in ("by", "detect", "alerts", "alert"):
            if self.end == "promoted" and getattr(self, name):
                raise PydanticCustomError(
                    "must", "a version that is promoted has no {name}", {"name": name, "at": [name]}
                )
        names = [one.name for one in self.wanted]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise PydanticCustomError(
                "must", "the alert {name} is asked for twice", {"name": twice, "at": ["alerts"]}
            )
        return self

    @property
    def wanted(self) -> list[AlertSection]:
        """Every alert that is asked for."""
        return [*([self.alert] if self.alert else []), *self.alerts]


class DrillSection(_Strict):
    """One drill."""

    what: str = Field(min_length=1)
    fault: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict, alias="with")
    must: MustSection


class DrillsFile(_Strict):
    """The whole file."""

    drills: dict[DrillName, DrillSection] = Field(min_length=1)


def load(path: Path) -> tuple[Drill, ...]:
    """Read and check the drills, in the file's order. BadInputError names the line of what is wrong."""
    file = validate(load_yaml(path, DrillsFile, hint=HINT), DrillsFile, path.name)
    return tuple(_drill(name, section) for name, section in file.drills.items())


def _drill(name: str, section: DrillSection) -> Drill:
    must = section.must
    return Drill(
        name=name,
        what=section.what,
        fault=section.fault,
        parameters=section.parameters,
        must=Must(
            end=must.end,
            by=tuple(must.by),
            detect_s=must.detect,
            failed_share=must.failed,
            causes=tuple(Cause(cause).value for cause in must.causes),
            never_judged=tuple(must.never),
            alerts=tuple(AlertWanted(one.name, one.within, one.or_held_back) for one in must.wanted),
        ),
    )
