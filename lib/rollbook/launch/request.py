"""From a command line and a plan to phases with checked parameters, before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rollbook.coverage.keeping import project_requirements
from rollbook.domain.service import Service
from rollbook.domain.target import TargetSpec
from rollbook.domain.target import check as check_target
from rollbook.errors import BadInputError
from rollbook.notebook.parameters import MODELS, RunbookParameters, from_text, parse_set, validated
from rollbook.settings import plan_file, service_file
from rollbook.settings.plan_file import OPTIONS, Plan, PlanPhase

ROOM_S = 1_800.0


@dataclass(frozen=True)
class Request:
    """What `rollbook run` was asked for."""

    spec: TargetSpec = field(default_factory=TargetSpec)
    service: str = "service.yaml"
    plan: Path | Plan | None = None
    """A plan's file, or a plan; None: the default."""
    phases: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    out: Path | None = None
    deadline_s: float | None = None
    """For every phase to which the plan gives none of its own."""


@dataclass(frozen=True)
class Phase:
    """One phase that is going to run: its name in the record, runbook, parameters and expected verdict."""

    name: str
    runbook: str
    notebook: Path
    parameters: RunbookParameters
    expect: str
    deadline_s: float
    """Seconds from the start of its kernel to the end of its last cell."""
    cell_deadline_s: float | None = None
    independent: bool = False
    """Whether later phases run when it does not pass."""


@dataclass(frozen=True)
class Checked:
    """A request that fits: the service, and the phases in order."""

    request: Request
    service: Service
    project: Path
    out: Path
    phases: tuple[Phase, ...]


def check(request: Request, cwd: Path, loaded: Service | None = None) -> Checked:
    """Check all that can be checked before something is started. BadInputError says what does not fit.

    `loaded` is the request's service where its file was read already.
    """
    check_target(request.spec)
    plan = request.plan or plan_file.DEFAULT
    if isinstance(plan, Path):
        plan = plan_file.load(plan, MODELS)
    chosen = _chosen(plan, request.phases)
    settings = _settings(request.sets, chosen)
    path = service_file.find(request.service, cwd)
    service = loaded or service_file.load(path)
    project = path.resolve().parent
    project_requirements(project)
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
    """The phases that were asked for, in the plan's order; a runbook that the plan lacks may be named too.

    It comes before the first phase whose runbook comes later in a release.
    """
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
    phases = [phase for phase in plan.phases if phase.label in wanted]
    order = list(MODELS)
    for one in extra:
        later = (n for n, phase in enumerate(phases) if order.index(phase.phase) > order.index(one.phase))
        phases.insert(next(later, len(phases)), one)
    return tuple(phases)


def _settings(sets: Sequence[str], phases: Sequence[PlanPhase]) -> dict[str, dict[str, Any]]:
    """`--set` by phase: `rps=50` for every phase that takes it, `drill.rps=50` for one, whatever their order.

    Complaints name the parameter and never repeat its value: nobody knows yet whether it is a secret.
    """
    values: dict[str, str] = {}
    for text in sets:
        name, value = parse_set(text)
        if name in values:
            raise BadInputError(f"--set {name}: it is set twice", next_step="Leave one of them out.")
        values[name] = value
    settings: dict[str, dict[str, Any]] = {phase.label: {} for phase in phases}
    for name in sorted(values, key=lambda name: "." in name):
        field = name.rpartition(".")[2]
        for phase in _taking(name, phases):
            settings[phase.label][field] = from_text(MODELS[phase.phase], field, values[name])
    return settings


def _taking(name: str, phases: Sequence[PlanPhase]) -> list[PlanPhase]:
    """The phases that a name of `--set` is for. BadInputError when there is none."""
    label, dot, field = name.rpartition(".")
    if field in OPTIONS:
        raise BadInputError(
            f"--set {name}: {field} has an option of its own", next_step="See rollbook run --help."
        )
    meant = [phase for phase in phases if not dot or phase.label == label]
    if not meant:
        labels = ", ".join(phase.label for phase in phases)
        raise BadInputError(
            f"--set {name}: no chosen phase is called {label!r}", next_step=f"The phases are: {labels}."
        )
    taking = [phase for phase in meant if field in MODELS[phase.phase].model_fields]
    if not taking:
        known = sorted({one for phase in meant for one in MODELS[phase.phase].model_fields} - {*OPTIONS})
        raise BadInputError(
            f"--set {name}: no chosen phase takes {field}",
            next_step=f"They take: {', '.join(known) or 'none'}.",
        )
    return taking


def _phase(phase: PlanPhase, sets: dict[str, Any], request: Request, runbooks: Path, service: str) -> Phase:
    values: dict[str, Any] = {**phase.parameters, **sets}
    if phase.expect:
        values.setdefault("expect", phase.expect)
    values |= {**asdict(request.spec), "service": service, "name": phase.label}
    parameters = validated(MODELS[phase.phase], values, f"phase {phase.label}")
    return Phase(
        name=phase.label,
        runbook=phase.phase,
        notebook=runbooks / f"{phase.phase}.ipynb",
        parameters=parameters,
        expect=str(getattr(parameters, "expect", "")),
        deadline_s=phase.deadline_s or request.deadline_s or longest_s(parameters),
        cell_deadline_s=phase.cell_deadline_s,
        independent=phase.independent,
    )


def longest_s(parameters: RunbookParameters) -> float:
    """Seconds that a phase may take when nobody says: its own time limit, if it has one, and half an hour.

    The half hour is for what has no limit of its own: images, a cluster that is made, the way back to stable.
    """
    return float(getattr(parameters, "timeout_s", 0.0)) + ROOM_S


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
