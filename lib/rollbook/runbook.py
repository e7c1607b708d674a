"""What a runbook opens first: the run, its record and its world.

    parameters = CanaryParameters.of(...)
    run = open_run(parameters)
    ...
    run.finish("1.1.0 was promoted")

A notebook is a truthful record on its own: a cell that raises ends the phase in `run.json`, whether the
notebook runs in JupyterLab, by papermill or by `rollbook run`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rollbook import provenance, targets
from rollbook.bundle.seal import unseal
from rollbook.bundle.signing import signer_of
from rollbook.clock import SystemClock
from rollbook.closing import close
from rollbook.coverage.keeping import begin_coverage
from rollbook.domain.release import Component
from rollbook.domain.service import Service
from rollbook.errors import ExitCode
from rollbook.evidence.folder import RunFolder, new_run_id
from rollbook.evidence.journal import Journal, Kind
from rollbook.evidence.project import record_project
from rollbook.evidence.record import RunRecord
from rollbook.evidence.recorder import Recorder
from rollbook.evidence.resting import EVIDENCE
from rollbook.notebook.cells import on_cell_error, readable_errors, running_cell
from rollbook.notebook.display import table
from rollbook.notebook.parameters import CanaryParameters, InfrastructureParameters, RunbookParameters
from rollbook.phases.context import PhaseContext
from rollbook.phases.infrastructure import Infrastructure, following
from rollbook.ports import World
from rollbook.settings import service_file
from rollbook.targets.values import Values

LAUNCHED = "ROLLBOOK_LAUNCHED"
"""Set by `rollbook run` in its kernels: it begins the phases, ends the run and makes the report itself."""


class Run:
    """An open run: give `run.ctx` to the phases."""

    def __init__(
        self, ctx: PhaseContext, record: RunRecord, parameters: RunbookParameters, recorder: Recorder
    ) -> None:
        self.ctx = ctx
        self._record = record
        self._recorder = recorder
        self._failed = False
        self._parameters = parameters

    def facts(self, **facts: Any) -> None:
        """Write down facts of this phase: release, stable, canary, users."""
        self._record.phase_facts(self.ctx.phase, **facts)

    def components(self, found: Sequence[Component]) -> None:
        """Write down the components of the environment, for the report's provenance."""
        self._record.update(components=[asdict(one) for one in found])

    def take_down(self) -> str:
        """Take the target's own environment down (the sandbox); nothing for one that is not ours."""
        return targets.take_down(self._parameters.spec)

    def finish(self, sentence: str, verdict: str | None = None) -> Finished:
        """End the phase well, and make the report unless `rollbook run` will."""
        self.facts(sentence=sentence, verdict=verdict)
        self._end(ExitCode.OK, sentence)
        return Finished(sentence, self.ctx.folder)

    def failed(self, error: BaseException) -> None:
        """End the phase with what went wrong."""
        code, sentence = _told(error)
        self._failed = True
        self._end(code, sentence)

    def _end(self, code: ExitCode, sentence: str) -> None:
        now = self.ctx.world.clock.now()
        self._recorder.close(self._goes_on)  # a watch may still be listening
        self.ctx.journal.append(Kind.RUN, "phase ended", {"exit_code": int(code), "sentence": sentence})
        self._record.phase_ended(now, self.ctx.phase, code, sentence)
        if not os.environ.get(LAUNCHED):
            self._record.end(now, code, sentence)
            self.ctx.journal.seal()
            for complaint in close(self.ctx.folder, self.ctx.service.source.parent).complaints:
                self.ctx.say(complaint)

    def _goes_on(self) -> None:
        """A person runs a cell again after the end: the seal is taken away, and the next end is told too."""
        if not os.environ.get(LAUNCHED):
            unseal(self.ctx.folder)
            if self._failed:
                on_cell_error(self.failed)
            self._failed = False

    def _repr_html_(self) -> str:
        service, world = self.ctx.service, self.ctx.world
        # Elsewhere it has to be asked for, and may not be there yet.
        url = f"{world.edge_url} " if self._parameters.spec.emulated else ""
        reached = f"{url}(Host: {service.traffic.host})"
        return table(
            ("run", self.ctx.folder.run_id),
            [
                ("service", f"{service.name} in namespace {service.namespace}"),
                ("target", world.target),
                ("users reach it at", reached),
                ("record", str(self.ctx.folder.path)),
                *(("note", sentence) for sentence in world.disclosures),
            ],
        )


class Finished:
    """The last line of a runbook: the sentence, and where the report is."""

    def __init__(self, sentence: str, folder: RunFolder) -> None:
        self._sentence = sentence
        self._folder = folder

    def __repr__(self) -> str:
        return f"{self._sentence}\nrecord: {self._folder.path}"


def open_run(parameters: RunbookParameters, *, bring_up: bool = False) -> Run:
    """Open the run that the parameters name, or a new one, and connect to the target.

    With `bring_up` the target is made ready first (the sandbox is built and started). Raises what the
    service file, the folder or the target complain of; from then on, a failing cell ends the phase.
    """
    readable_errors()
    clock = SystemClock()
    signer_of(os.environ)  # a bad key is told now, and not when everything is done
    path = service_file.find(parameters.service, Path.cwd())
    service = service_file.load(path)
    folder = _folder(parameters, service.source.parent, clock, service.name)
    record = RunRecord(folder)
    recorder = Recorder(folder, clock, parameters.label, running_cell)
    journal = folder.journal(parameters.label, clock, recorder)
    expected = parameters.expect if isinstance(parameters, CanaryParameters) else ""
    if not os.environ.get(LAUNCHED):
        begin_phase(folder, clock, parameters.label, parameters.runbook(), parameters.model_dump(), expected)
    try:
        if bring_up:
            with journal.step("bring up the target", target=parameters.target):
                targets.bring_up(parameters.spec, service)
        world = targets.connect(parameters.spec, service, recorder)
        made_by = _infrastructure(parameters, service, world, recorder, journal)
    except BaseException as error:
        code, sentence = _told(error)
        record.phase_ended(clock.now(), parameters.label, code, sentence)
        journal.append(Kind.RUN, "phase ended", {"exit_code": int(code), "sentence": sentence})
        raise
    record.update(
        service={
            "name": service.name,
            "namespace": service.namespace,
            "rollout": service.rollout,
            "host": service.traffic.host,
            "slo": {"availability": service.slo.availability, "p95_s": service.slo.p95_s},
        },
        target=world.target,
        overlay=world.overlay,
        disclosures=list(world.disclosures),
    )
    ctx = PhaseContext(service, world, folder, journal, parameters.label, print, made_by)
    run = Run(ctx, record, parameters, recorder)
    on_cell_error(run.failed)
    return run


def _infrastructure(
    parameters: RunbookParameters, service: Service, world: World, recorder: Recorder, journal: Journal
) -> Infrastructure | None:
    """What makes the target, for the runbooks that make and end it."""
    if not isinstance(parameters, InfrastructureParameters):
        return None
    given = Values(
        backend=parameters.backend,
        values=parameters.values,
        charts=parameters.charts,
        addons=parameters.addons,
    )
    progress = following(journal, print)
    return targets.infrastructure(parameters.spec, service, world, recorder, given, progress)


def begin_record(folder: RunFolder, clock: SystemClock, project: Path, target: str) -> RunRecord:
    """Start the record of a new folder, with what the project is made of and what is required of it."""
    record = RunRecord(folder)
    record.begin(clock.now(), {**provenance.facts(project), "target": target})
    recorder = Recorder(folder, clock, "run")
    journal = folder.journal("run", clock, recorder)
    made_of = record_project(recorder, project, provenance.read_patterns(project))
    data = {"id": folder.run_id, "target": target, EVIDENCE: [made_of]}
    journal.append(Kind.RUN, "run started", data)
    begin_coverage(folder, project)
    return record


def begin_phase(
    folder: RunFolder,
    clock: SystemClock,
    name: str,
    runbook: str,
    parameters: Mapping[str, Any],
    expected: str,
) -> None:
    """Record that a phase begins, in `run.json` and in the journal. What was sealed is so no longer."""
    unseal(folder)
    RunRecord(folder).phase_started(clock.now(), name, runbook, parameters, expected)
    folder.journal(name, clock).append(Kind.RUN, "phase started", {"runbook": runbook, **parameters})


def _told(error: BaseException) -> tuple[ExitCode, str]:
    """An error's exit code, and what is said of it."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.CANCELLED, "interrupted"
    if isinstance(error, MemoryError):
        said = f" ({error})" if str(error) else ""
        return ExitCode.ENVIRONMENT_FAILED, f"the notebook got no more memory from this machine{said}"
    code: ExitCode = getattr(error, "exit_code", ExitCode.BUG)
    if code is ExitCode.CANCELLED:
        return code, "interrupted"
    return code, str(error) or type(error).__name__


def _folder(parameters: RunbookParameters, project: Path, clock: SystemClock, service: str) -> RunFolder:
    if parameters.run:
        return RunFolder.open(Path(parameters.run).expanduser().resolve())
    folder = RunFolder.create(project / "reports", new_run_id(clock.now(), service))
    begin_record(folder, clock, project, parameters.target)
    return folder
