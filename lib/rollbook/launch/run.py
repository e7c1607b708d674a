"""`rollbook run`: the phases of a plan, one notebook each, then the report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rollbook import provenance, targets
from rollbook.bundle.seal import unseal
from rollbook.bundle.signing import signer_of
from rollbook.clock import SystemClock
from rollbook.closing import close
from rollbook.errors import CancelledError, ExitCode, RollbookError
from rollbook.evidence.folder import RunFolder, ensure_writable, new_run_id
from rollbook.evidence.journal import Kind
from rollbook.evidence.project import record_project
from rollbook.evidence.record import RunRecord
from rollbook.evidence.recorder import Recorder
from rollbook.evidence.resting import EVIDENCE
from rollbook.launch import ci, engine, resume
from rollbook.launch.interruption import interruptible
from rollbook.launch.progress import Progress
from rollbook.launch.request import Checked, Phase
from rollbook.launch.summary import timing
from rollbook.launch.target import Target
from rollbook.runbook import LAUNCHED, begin_phase, begin_record


@dataclass(frozen=True)
class Result:
    """How a run ended, and where its record is. `report` is None when the page could not be made."""

    folder: RunFolder
    exit_code: ExitCode
    sentence: str
    report: Path | None


def run(checked: Checked, progress: Progress, resumed: RunFolder | None = None) -> Result:
    """Run the phases in order; the first that does not pass ends the run, unless it is independent.

    The report is made in any case.

    With `resumed`, the run of that folder is taken up: what it had under way is brought back to stable, and a
    completed phase is skipped if its post-condition still holds in the world.

    Never raises for what a phase did: the exit code and the sentence tell. BadInputError when the run's
    folder cannot be made or the key to sign with cannot be used, BuildFailedError when the target's parts
    cannot be built.
    """
    clock, request = SystemClock(), checked.request
    signer_of(os.environ)  # a bad key is told now, and not when everything is done
    ensure_writable(checked.out)
    if any(phase.runbook == "provision" for phase in checked.phases):
        # Minutes, the first time: shown here, where there is a terminal, rather than in a notebook's output.
        targets.prepare(request.spec)
    folder = resumed or RunFolder.create(checked.out, new_run_id(clock.now(), checked.service.name))
    record = (
        RunRecord(folder) if resumed else begin_record(folder, clock, checked.project, request.spec.target)
    )
    plan = [
        {
            "name": phase.name,
            "runbook": phase.runbook,
            "expect": phase.expect,
            "deadline_s": phase.deadline_s,
            "cell_deadline_s": phase.cell_deadline_s,
            "independent": phase.independent,
            "parameters": phase.parameters.model_dump(),
        }
        for phase in checked.phases
    ]
    unseal(folder)  # nothing to do for a new one
    record.update(plan=plan, asked={"service": str(checked.service.source)}, ended=None, outcome=None)
    verb = "taking up run" if resumed else "run"
    progress.line(f"{verb} {folder.run_id}: {', '.join(phase.name for phase in checked.phases)}")
    code, sentence = ExitCode.OK, ""
    for warning in folder.scrubber.not_taken:
        progress.line(f"  {warning}", "yellow")
    with interruptible() as interruption:
        # The target is given back before the record is sealed: that, too, is asked of the world.
        with Target(checked, folder, interruption) as target:
            if resumed:
                _take_up(folder, clock, checked.project)
                code, sentence = target.clean_up()
            for phase in checked.phases if code is ExitCode.OK else ():
                if interruption.asked:
                    code, sentence = ExitCode.CANCELLED, f"interrupted before {phase.name}"
                    break
                if resumed and resume.still_done(checked, folder, phase, progress):
                    continue
                ended, said = _phase(checked, folder, record, phase, progress, target)
                if ended is not ExitCode.OK:
                    code, sentence = (ended, said) if code is ExitCode.OK else (code, f"{sentence}; {said}")
                    if ended is ExitCode.CANCELLED or not phase.independent:
                        break
        return _end(folder, record, code, sentence, checked, progress)


def _take_up(folder: RunFolder, clock: SystemClock, project: Path) -> None:
    """Note that a run goes on, with what the project is made of now."""
    recorder = Recorder(folder, clock, "run")
    made_of = record_project(recorder, project, provenance.read_patterns(project))
    data = {"id": folder.run_id, EVIDENCE: [made_of]}
    folder.journal("run", clock, recorder).append(Kind.RUN, "run resumed", data)


def _phase(
    checked: Checked,
    folder: RunFolder,
    record: RunRecord,
    phase: Phase,
    progress: Progress,
    target: Target,
) -> tuple[ExitCode, str]:
    """Run one notebook; its exit code and sentence."""
    clock = SystemClock()
    journal = folder.path / "journal.jsonl"
    begin_phase(folder, clock, phase.name, phase.runbook, phase.parameters.model_dump(), phase.expect)
    output = folder.notebook(phase.name)
    error: RollbookError | None = None
    with progress.following(phase.name, journal), _launched():
        try:
            if phase.runbook != "provision":
                target.hold(ending=phase.runbook == "teardown")
            engine.execute(
                phase.notebook,
                output,
                {**phase.parameters.model_dump(), "run": str(folder.path)},
                cwd=checked.project,
                notebook_timeout_s=phase.deadline_s,
                cell_timeout_s=phase.cell_deadline_s,
                scrub=folder.scrubber.text,
                on_cell=progress.cell,
            )
        except RollbookError as raised:
            error = raised
        if error is not None and phase.runbook in {"canary", "experiment"}:
            target.make_safe(phase, type(error).__name__)
    known = record.phase(phase.name) or {}
    record.phase_facts(phase.name, notebook=f"notebooks/{output.name}")
    if error is None and known.get("outcome") is None:
        error = RollbookError(f"the notebook of {phase.name} ended without an outcome")
    if error is None:
        return ExitCode.OK, str(known.get("sentence", ""))
    code, sentence = error.exit_code, folder.scrubber.text(str(error))
    outcome = known.get("outcome")
    cancelled = isinstance(error, CancelledError)
    if outcome is None or (cancelled and outcome != "passed") or (outcome == "cancelled" and not cancelled):
        # The notebook died before it could say so itself, or saw an interrupt and not that it was a deadline.
        record.phase_ended(clock.now(), phase.name, code, sentence)
        folder.journal(phase.name, clock).append(
            Kind.RUN, "phase ended", {"exit_code": int(code), "sentence": sentence}
        )
    elif outcome != "passed":
        # It said so itself, and knows kinds of errors that have no name here.
        code, sentence = ExitCode(int(known["exit_code"])), str(known["sentence"])
    progress.failed(phase.name, sentence)
    return code, f"{phase.name}: {sentence}"


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
        now = clock.now()
        record.end(now, code, sentence, timing=timing(folder.read_run(), now))
        journal = folder.journal("run", clock)
        journal.append(Kind.RUN, "run ended", {"exit_code": int(code), "sentence": sentence})
        journal.seal()
        closed = close(
            folder,
            checked.project,
            also=lambda folder: ci.write(folder, os.environ),
            failed=lambda worse, why: record.end(now, code or worse, sentence if code else why),
        )
        for complaint in closed.complaints:
            progress.line(f"  {complaint}", "red")
    return Result(folder, code or closed.exit_code, sentence, closed.report)


def _headline(folder: RunFolder) -> str:
    """The sentences of the canaries, or of the last phase when there was none."""
    phases = folder.read_run()["phases"]
    told = [phase["sentence"] for phase in phases if phase.get("verdict")] or [phases[-1]["sentence"]]
    return " ".join(told)
