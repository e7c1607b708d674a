"""One notebook from its first save to its last: cell states, times, and what its ending is called."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbclient.exceptions import DeadKernelError
from papermill.engines import NotebookExecutionManager
from papermill.execute import raise_for_execution_errors
from papermill.log import logger as papermill_logger

from rollbook.errors import CancelledError, EnvironmentFailedError, RollbookError
from rollbook.launch.cells import CellEvent, CellState, Ending, EngineOptions, place, titles
from rollbook.launch.client import Client
from rollbook.launch.destination import destination, saved
from rollbook.launch.interruption import interruptible
from rollbook.launch.notebook_json import from_json
from rollbook.launch.saving import Saver

logger = logging.getLogger("rollbook.engine")
EXCEPTIONAL = {CellState.FAILED, CellState.INTERRUPTED, CellState.TIMED_OUT, CellState.KERNEL_DIED}


class KernelDiedError(EnvironmentFailedError, DeadKernelError):
    """The kernel ended by itself or was killed. It is nbclient's error too: papermill exits 138 for that."""


class Manager(NotebookExecutionManager):  # type: ignore[misc]  # papermill is not typed
    """papermill's book-keeper, which says of each cell what became of it and leaves saving to the saver."""

    def __init__(
        self, nb: Any, saver: Saver, options: EngineOptions, *, log_output: bool, progress_bar: Any
    ) -> None:
        super().__init__(nb, output_path=None, log_output=log_output, progress_bar=progress_bar)
        self.titles = titles(nb.cells)
        self._saver = saver
        self._on_cell = options.on_cell
        self._began: dict[int, datetime] = {}

    def save(self, **_kwargs: Any) -> None:
        """The saver has its own times for this; called by papermill's code."""
        self._saver.touch()

    def autosave_cell(self) -> None:
        """The same."""

    def began(self, index: int) -> None:
        """A code cell is going to be run."""
        self._began[index] = datetime.now(UTC)
        self.cell_start(self.nb.cells[index], index)
        self._saver.touch(index)
        self._tell(index, CellState.RUNNING, 0.0)

    def ended(self, index: int, state: CellState) -> None:
        """A code cell was run."""
        now = datetime.now(UTC)
        seconds = (now - self._began[index]).total_seconds()
        self._close(index, state, end_time=now.isoformat(), duration=seconds)
        if self.log_output:
            logger.info("cell %d: %s after %.3f s", index + 1, state.value, seconds)
        self._tell(index, state, seconds)

    def passed(self, index: int, state: CellState) -> None:
        """A cell with nothing to run: text, or tagged to be skipped."""
        self._close(index, state)

    def notebook_complete(self, **_kwargs: Any) -> None:
        """Write down the end. A cell whose turn did not come was not run; one still running met a bug."""
        now = datetime.now(UTC)
        self.nb.metadata.papermill["end_time"] = now.isoformat()
        self.nb.metadata.papermill["duration"] = (now - self.start_time).total_seconds()
        for index, cell in enumerate(self.nb.cells):
            if cell.metadata.papermill["status"] == CellState.PENDING:
                self._close(index, CellState.NOT_RUN, exception=None)
            elif cell.metadata.papermill["status"] == CellState.RUNNING:
                self._close(index, CellState.FAILED, end_time=now.isoformat())
        self.cleanup_pbar()

    def _close(self, index: int, state: CellState, **more: Any) -> None:
        exceptional = state in EXCEPTIONAL
        facts = {"status": state.value, "exception": exceptional} | more
        self.nb.cells[index].metadata.papermill.update(facts)
        if exceptional:
            self.nb.metadata.papermill["exception"] = True
        if self.pbar and state is not CellState.NOT_RUN:
            self.pbar.update(1)
        self._saver.touch(index)

    def _tell(self, index: int, state: CellState, seconds: float) -> None:
        if self._on_cell:
            self._on_cell(CellEvent(index, len(self.nb.cells), self.titles[index], state, seconds))


def run_managed(
    nb: Any,
    kernel_name: str,
    output_path: str | None,
    options: EngineOptions,
    *,
    name: str,
    log_output: bool,
    progress_bar: Any,
    client_options: Mapping[str, Any],
) -> Any:
    """Run a notebook whose parameters are in place; the executed notebook, scrubbed.

    A cell that raised is in it, for papermill to find. Raises CancelledError after a signal, KernelDiedError,
    and EnvironmentFailedError when a deadline passed, the kernel did not start, or the notebook could not be
    saved at its start or at its end.
    """
    store = destination(output_path)
    saver = Saver(nb, store, options.scrub, options.save_every_s)
    manager = Manager(nb, saver, options, log_output=log_output, progress_bar=progress_bar)
    with interruptible() as interruption:
        manager.notebook_start()
        saver.save()
        client = Client(
            manager,
            saver,
            options,
            interruption,
            name=name,
            kernel_name=kernel_name,
            log_output=log_output,
            log=papermill_logger,
            **client_options,
        )
        try:
            ending = client.run()
        finally:
            manager.notebook_complete()
            unsaved = saver.finish()
            if unsaved:
                logger.warning("%s", unsaved)
        if ending and not _is_of_the_cell(ending, asked=interruption.asked):
            raise _error(ending, name, manager.titles[ending.index], unsaved)
    executed = nb if options.scrub is None else from_json(saver.content())
    if unsaved:
        # papermill would write again and fail, and an error of the cell would be lost: it comes first.
        try:
            raise_for_execution_errors(executed, None)
        except Exception as error:
            error.add_note(str(unsaved))
            raise
        raise unsaved
    saved(output_path)
    _warn_of_a_silent_end(executed, manager)
    return executed


def _is_of_the_cell(ending: Ending, *, asked: bool) -> bool:
    """Whether the cell itself raised, which is papermill's to tell; KeyboardInterrupt unasked is that too."""
    return ending.state is CellState.FAILED or (ending.state is CellState.INTERRUPTED and not asked)


def _error(ending: Ending, name: str, title: str, unsaved: EnvironmentFailedError | None) -> RollbookError:
    """The ending as an error that names the cell."""
    why = f"{place(ending.index, title)}: {ending.why}" + (f"; besides, {unsaved}" if unsaved else "")
    if ending.state is CellState.INTERRUPTED:
        return CancelledError("the run was interrupted", why=why)
    if ending.state is CellState.KERNEL_DIED:
        return KernelDiedError(
            f"the kernel of {name} died",
            why=why,
            next_step="Look at the machine's memory, and at what the notebook printed last.",
        )
    return EnvironmentFailedError(
        f"{name} did not end in time",
        why=why,
        next_step="Look at what the cell waited for, or give it more time.",
    )


def _warn_of_a_silent_end(nb: Any, manager: Manager) -> None:
    """papermill takes `SystemExit(0)` for success, although the cells after it did not run: say so."""
    for index, cell in enumerate(nb.cells):
        if any(one.get("ename") == "SystemExit" for one in cell.get("outputs", [])):
            left = len(nb.cells) - index - 1
            at = place(index, manager.titles[index])
            logger.warning("%s ended the notebook by SystemExit; %d cells after it were not run", at, left)


def name_of(input_path: Any) -> str:
    """What a notebook is called in messages: its file's name without its ending."""
    return Path(input_path).stem if isinstance(input_path, str) else "notebook"
