"""The release target of a whole run: held by a Lease, and brought back to stable when the run ends badly."""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import TracebackType

from rollbook import targets
from rollbook.clock import SystemClock
from rollbook.errors import ExitCode, NotFoundError, RollbookError
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
from rollbook.evidence.recorder import Recorder
from rollbook.launch.interruption import Interruption
from rollbook.launch.request import Checked, Phase
from rollbook.phases.context import PhaseContext
from rollbook.phases.exclusive import HOLDER, exclusive
from rollbook.phases.experiment_end import end_experiment
from rollbook.phases.wayback import back_to_stable


class Target:
    """A run's target. The Lease is taken when the first phase that changes the service begins.

    Not before: until provision is done, there may be no cluster to take it in.
    """

    def __init__(self, checked: Checked, folder: RunFolder, interruption: Interruption) -> None:
        self._checked = checked
        self._folder = folder
        self._interruption = interruption
        self._stack = ExitStack()
        self._held = False

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def hold(self, *, ending: bool = False) -> None:
        """Take the Lease for the rest of the run. TargetHeldError when another run has it.

        Where the target is to be ended, its cluster may be gone already, and nobody can hold it.
        """
        if self._held:
            return
        try:
            holder = self._stack.enter_context(exclusive(self._context("run"), on_lost=self._lost))
        except NotFoundError:
            if ending:
                return
            raise
        os.environ[HOLDER] = holder
        self._stack.callback(os.environ.pop, HOLDER, None)
        self._held = True

    def make_safe(self, phase: Phase, why: str) -> None:
        """See to it that stable serves all: the notebook's own way back may have died with its kernel."""
        journal = self._folder.journal(phase.name, SystemClock())
        try:
            context = self._context(phase.name)
            end_experiment(context, why)
            back_to_stable(context, why)
        except RollbookError as error:
            journal.append(Kind.STEP, "back to stable", {"state": "failed", "error": str(error)})

    def clean_up(self) -> tuple[ExitCode, str]:
        """Bring back to stable what a run that was cut off had under way; the code and sentence of a failure.

        Where nothing can be reached (the sandbox is down), there is nothing under way either.
        """
        try:
            context = self._context("run")
        except RollbookError:
            return ExitCode.OK, ""
        try:
            self.hold()
            end_experiment(context, "the run was cut off and is taken up again")
            back_to_stable(context, "the run was cut off and is taken up again")
        except RollbookError as error:
            return error.exit_code, str(error)
        return ExitCode.OK, ""

    def _context(self, phase: str) -> PhaseContext:
        checked = self._checked
        clock = SystemClock()
        recorder = Recorder(self._folder, clock, phase)
        world = targets.connect(checked.request.spec, checked.service, recorder)
        journal = self._folder.journal(phase, clock, recorder)
        self._stack.callback(recorder.close)
        return PhaseContext(checked.service, world, self._folder, journal, phase)

    def _lost(self, _holder: str) -> None:
        self._interruption.ask(0, None)
