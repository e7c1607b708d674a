"""`rollbook run`: the phases of a plan, one notebook each, then the report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rollbook import targets
from rollbook.clock import SystemClock
from rollbook.errors import CancelledError, ExitCode, RollbookError
from rollbook.evidence.folder import RunFolder, new_run_id
from rollbook.evidence.journal import Kind
from rollbook.evidence.record import RunRecord
from rollbook.launch import engine
from rollbook.launch.interruption import interruptible
from rollbook.launch.progress import Progress
from rollbook.launch.request import Checked, Phase
from rollbook.launch.summary import timing
from rollbook.phases.canary import back_to_stable
from rollbook.phases.context import PhaseContext
from rollbook.runbook import LAUNCHED, begin_record


@dataclass(frozen=True)
class Result:
    """How a run ended, and where its record is. `report` is None when the page could not be made."""

    folder: RunFolder
    exit_code: ExitCode
    sentence: str
    report: Path | None


def run(checked: Checked, progress: Progress) -> Result:
    """Run the phases in order; the first that does not pass ends the run. The report is made in any case.

    Never raises for what a phase did: the exit code and the sentence tell. BadInputError when the run's
    folder cannot be made, BuildFailedError when the target's parts cannot be built.
    """
    clock = SystemClock()
    if any(phase.runbook == "provision" for phase in checked.phases):
        # Minutes, the first time: shown here, where there is a terminal, rather than in a notebook's output.
        targets.prepare(checked.request.target)
    folder = RunFolder.create(checked.out, new_run_id(clock.now(), checked.service.name))
    record = begin_record(folder, clock, checked.project, checked.request.target)
    record.update(plan=[{"name": phase.name, "runbook": phase.runbook} for phase in checked.phases])
    progress.line(f"run {folder.run_id}: {', '.join(phase.name for phase in checked.phases)}")
    code, sentence = ExitCode.OK, ""
    with interruptible() as interruption:
        for phase in checked.phases:
            if interruption.asked:
                code, sentence = ExitCode.CANCELLED, f"interrupted before {phase.name}"
                break
            code, sentence = _phase(checked, folder, record, phase, progress)
            if code is not ExitCode.OK:
                break
        return _end(folder, record, code, sentence, checked, progress)


def _phase(
    checked: Checked, folder: RunFolder, record: RunRecord, phase: Phase, progress: Progress
) -> tuple[ExitCode, str]:
    """Run one notebook; its exit code and sentence."""
    clock = SystemClock()
    journal = folder.path / "journal.jsonl"
    output = folder.notebook(phase.name)
    error: RollbookError | None = None
    with progress.following(phase.name, journal), _launched():
        try:
            engine.execute(
                phase.notebook,
                output,
                {**phase.parameters.model_dump(), "run": str(folder.path)},
                cwd=checked.project,
            )
        except RollbookError as raised:
            error = raised
        if error is not None and phase.runbook == "canary":
            _make_safe(checked, folder, phase, type(error).__name__)
    known = record.phase(phase.name) or {}
    record.phase_facts(phase.name, notebook=f"notebooks/{output.name}")
    if error is None and known.get("outcome") is None:
        error = RollbookError(f"the notebook of {phase.name} ended without an outcome")
    if error is None:
        return ExitCode.OK, str(known.get("sentence", ""))
    if known.get("outcome") is None or isinstance(error, CancelledError):
        # The notebook died before it could say so itself.
        record.phase_ended(clock.now(), phase.name, error.exit_code, str(error))
        folder.journal(phase.name, clock).append(
            Kind.RUN, "phase ended", {"exit_code": int(error.exit_code), "sentence": str(error)}
        )
    progress.line(f"  {phase.name}: {error}", "red")
    return error.exit_code, f"{phase.name}: {error}"


def _make_safe(checked: Checked, folder: RunFolder, phase: Phase, why: str) -> None:
    """See to it that stable serves all: the notebook's own way back may have died with its kernel."""
    clock = SystemClock()
    journal = folder.journal(phase.name, clock)
    try:
        world = targets.connect(checked.request.target, checked.service)
    except RollbookError as error:
        journal.append(Kind.STEP, "back to stable", {"state": "failed", "error": str(error)})
        return
    back_to_stable(PhaseContext(checked.service, world, folder, journal, phase.name), why)


@contextmanager
def _launched() -> Iterator[None]:
    """Tell the kernel, by its environment, that the launcher ends the run and makes the report."""
    before = os.environ.get(LAUNCHED)
    os.environ[LAUNCHED] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[LAUNCHED]
        else:
            os.environ[LAUNCHED] = before


def _end(
    folder: RunFolder,
    record: RunRecord,
    code: ExitCode,
    sentence: str,
    checked: Checked,
    progress: Progress,
) -> Result:
    """Seal the record and make the report."""
    from rollbook.launch.appendix import notebooks_to_html
    from rollbook.report.page import write as write_report

    clock = SystemClock()
    ran = {phase["name"] for phase in folder.read_run()["phases"]}
    for phase in checked.phases:
        if phase.name not in ran:
            record.phase_started(
                clock.now(), phase.name, phase.runbook, phase.parameters.model_dump(), phase.expect
            )
            record.phase_facts(
                phase.name,
                outcome="skipped",
                started=None,
                sentence="not reached",
            )
    if code is ExitCode.OK:
        sentence = _headline(folder)
    with progress.following("report", folder.path / "journal.jsonl"):
        for name in notebooks_to_html(folder):
            record.phase_facts(name, notebook_html=f"notebooks/{name}.html")
        folder.journal("run", clock).append(
            Kind.RUN, "run ended", {"exit_code": int(code), "sentence": sentence}
        )
        now = clock.now()
        record.end(now, code, sentence, timing=timing(folder.read_run(), now))
        report: Path | None = None
        try:
            report = write_report(folder, folder.report)
        except RollbookError as error:
            progress.line(f"  the report could not be made: {error}", "red")
            code = code or error.exit_code
    return Result(folder, code, sentence, report)


def _headline(folder: RunFolder) -> str:
    """The sentences of the canaries, or of the last phase when there was none."""
    phases = folder.read_run()["phases"]
    told = [phase["sentence"] for phase in phases if phase.get("verdict")] or [phases[-1]["sentence"]]
    return " ".join(told)
