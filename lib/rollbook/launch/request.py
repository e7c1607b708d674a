"""From a command line and a plan to phases with checked parameters, before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollbook import targets
from rollbook.domain.service import Service
from rollbook.errors import BadInputError
from rollbook.notebook.parameters import MODELS, RunbookParameters, parse_set, validated
from rollbook.settings import plan_file, service_file
from rollbook.settings.plan_file import Plan, PlanPhase

LAUNCHERS_OWN = ("run", "name", "target", "service")
"""Parameters that `rollbook run` sets itself; they have options of their own."""


@dataclass(frozen=True)
class Request:
    """What `rollbook run` was asked for."""

    target: str = "sandbox"
    service: str = "service.yaml"
    plan: Path | None = None
    phases: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    out: Path | None = None


@dataclass(frozen=True)
class Phase:
    """One phase that is going to run: its name in the record, runbook, parameters and expected verdict."""

    name: str
    runbook: str
    notebook: Path
    parameters: RunbookParameters
    expect: str


@dataclass(frozen=True)
class Checked:
    """A request that fits: the service, and the phases in order."""

    request: Request
    service: Service
    project: Path
    out: Path
    phases: tuple[Phase, ...]


def check(request: Request, cwd: Path) -> Checked:
    """Check all that can be checked before something is started. BadInputError says what does not fit."""
    if request.target not in targets.TARGETS:
        raise BadInputError(
            f"unknown target {request.target!r}", next_step=f"Targets: {', '.join(targets.TARGETS)}."
        )
    plan = plan_file.load(request.plan) if request.plan else plan_file.DEFAULT
    chosen = _chosen(plan, request.phases)
    settings = _settings(request.sets, chosen)
    path = service_file.find(request.service, cwd)
    service = service_file.load(path)
    project = path.resolve().parent
    runbooks = runbooks_of(project)
    phases = tuple(_phase(one, settings[one.label], request, runbooks, str(path)) for one in chosen)
    for phase in phases:
        fault = getattr(phase.parameters, "fault", "")
        if fault and fault not in service.faults:
            known = ", ".join(sorted(service.faults)) or "none"
            raise BadInputError(
                f"phase {phase.name}: {path.name} names no fault {fault!r}", why=f"it has: {known}"
            )
    out = (request.out or project / "reports").expanduser().resolve()
    if out.exists() and not out.is_dir():
        raise BadInputError(f"--out {out} is a file", next_step="Give a folder.")
    return Checked(request, service, project, out, phases)


def _chosen(plan: Plan, wanted: Sequence[str]) -> tuple[PlanPhase, ...]:
    """The phases that were asked for, in the plan's order; a runbook that the plan lacks may be named too."""
    if not wanted:
        return plan.phases
    labels = {phase.label: phase for phase in plan.phases}
    extra = [
        PlanPhase.model_validate({"phase": name}) for name in wanted if name not in labels and name in MODELS
    ]
    for name in wanted:
        if name not in labels and name not in MODELS:
            known = ", ".join([*labels, *(name for name in MODELS if name not in labels)])
            raise BadInputError(f"--phase {name}: there is no such phase", next_step=f"Phases: {known}.")
    return (*(phase for phase in plan.phases if phase.label in wanted), *extra)


def _settings(sets: Sequence[str], phases: Sequence[PlanPhase]) -> dict[str, dict[str, str]]:
    """`--set` by phase: `rps=50` for every phase that takes it, `drill.rps=50` for one."""
    settings: dict[str, dict[str, str]] = {phase.label: {} for phase in phases}
    for text in sets:
        name, value = parse_set(text)
        label, dot, field = name.rpartition(".")
        if field in LAUNCHERS_OWN:
            raise BadInputError(
                f"--set {text}: {field} has an option of its own", next_step="See rollbook run --help."
            )
        taking = [
            phase.label
            for phase in phases
            if (not dot or phase.label == label) and field in MODELS[phase.phase].model_fields
        ]
        if not taking:
            known = sorted(
                {name for phase in phases for name in MODELS[phase.phase].model_fields} - {*LAUNCHERS_OWN}
            )
            raise BadInputError(
                f"--set {text}: no chosen phase takes {name}", next_step=f"They take: {', '.join(known)}."
            )
        for phase_label in taking:
            settings[phase_label][field] = value
    return settings


def _phase(phase: PlanPhase, sets: dict[str, str], request: Request, runbooks: Path, service: str) -> Phase:
    own = [name for name in phase.parameters if name in LAUNCHERS_OWN]
    if own:
        raise BadInputError(f"phase {phase.label}: a plan cannot set {own[0]}", next_step="Use the option.")
    values: dict[str, Any] = {**phase.parameters, **sets}
    if phase.expect:
        values.setdefault("expect", phase.expect)
    values |= {"target": request.target, "service": service, "name": phase.label}
    parameters = validated(MODELS[phase.phase], values, f"phase {phase.label}")
    return Phase(
        name=phase.label,
        runbook=phase.phase,
        notebook=runbooks / f"{phase.phase}.ipynb",
        parameters=parameters,
        expect=str(values.get("expect", "")),
    )


def runbooks_of(project: Path) -> Path:
    """The notebooks: the project's own, or those beside the installed package's checkout."""
    for folder in (project, *project.parents, Path(__file__).resolve().parents[3]):
        if (folder / "runbooks" / "canary.ipynb").is_file():
            return folder / "runbooks"
    raise BadInputError(
        "there are no runbooks here",
        why="no folder runbooks/ with canary.ipynb was found beside the service file or above it",
        next_step="Run rollbook in a checkout of the project.",
    )
