"""Take up a run that was cut off: read what was asked for, and look which phases need not be done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rollbook import targets
from rollbook.clock import SystemClock
from rollbook.domain.target import spec_of
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
from rollbook.evidence.record import RunRecord
from rollbook.evidence.recorder import Recorder
from rollbook.evidence.resting import Resting
from rollbook.launch.progress import Progress
from rollbook.launch.request import Checked, Phase, Request, longest_s, runbooks_of
from rollbook.notebook.parameters import MODELS, validated
from rollbook.phases.context import PhaseContext
from rollbook.phases.postcondition import drift
from rollbook.settings import service_file


def read(path: Path) -> tuple[RunFolder, Checked]:
    """What a run was asked for, from its record. BadInputError when the folder holds no plan."""
    folder = RunFolder.open(path.expanduser().resolve())
    run = folder.read_run()
    plan = run.get("plan")
    if not isinstance(plan, list) or not plan:
        raise BadInputError(
            f"{folder.run_id} holds no plan to take up",
            why="it was made by a runbook alone, or before its phases were known",
            next_step="Run the runbook again, or `rollbook run`.",
        )
    try:
        service_path = service_file.find(str(run["asked"]["service"]), Path.cwd())
        spec = spec_of(plan[0]["parameters"])
        request = Request(spec, service=str(service_path), out=folder.path.parent)
        service = service_file.load(service_path)
        runbooks = runbooks_of(service_path.parent)
        phases = tuple(_phase(one, runbooks, str(service_path)) for one in plan)
    except (KeyError, TypeError) as error:
        raise BadInputError(f"the plan of {folder.run_id} cannot be read", why=repr(error)) from error
    return folder, Checked(request, service, service_path.parent, folder.path.parent, phases)


def still_done(checked: Checked, folder: RunFolder, phase: Phase, progress: Progress) -> bool:
    """Whether a phase was completed and its post-condition still holds; what does not is shown and kept."""
    phases = folder.read_run()["phases"]
    known: dict[str, Any] | None = RunRecord(folder).phase(phase.name)
    if known is None or known.get("outcome") != "passed":
        return False
    clock = SystemClock()
    recorder = Recorder(folder, clock, phase.name)
    journal = folder.journal(phase.name, clock, recorder)
    try:
        world = targets.connect(checked.request.spec, checked.service, recorder)
        found = drift(PhaseContext(checked.service, world, folder, journal, phase.name), known, phases)
    except EnvironmentFailedError as error:
        found = str(error)
    data = {"holds": not found, "drift": found, **Resting(recorder).since(0)}
    journal.append(Kind.OBSERVATION, "post-condition", data)
    progress.line(f"{phase.name}: " + (f"again: {found}" if found else "done, and it still holds"))
    return not found


def _phase(planned: dict[str, Any], runbooks: Path, service: str) -> Phase:
    runbook = str(planned["runbook"])
    values = {**planned["parameters"], "service": service, "run": ""}
    parameters = validated(MODELS[runbook], values, f"phase {planned['name']}")
    return Phase(
        name=str(planned["name"]),
        runbook=runbook,
        notebook=runbooks / f"{runbook}.ipynb",
        parameters=parameters,
        expect=str(planned.get("expect", "")),
        deadline_s=float(planned.get("deadline_s") or longest_s(parameters)),
        cell_deadline_s=planned.get("cell_deadline_s"),
        independent=bool(planned.get("independent")),
    )
