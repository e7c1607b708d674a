"""Run one notebook through papermill so that an interrupt reaches the cell and the truth is kept.

papermill's own client talks to the kernel over TCP ports that race when many start at once, and dies of a
SIGTERM without telling the kernel. This one uses IPC sockets in a folder of its own, and turns SIGINT and
SIGTERM into an interrupt of the running cell, whose context managers then undo what they did.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rollbook import errors
from rollbook.errors import CancelledError, EnvironmentFailedError, RollbookError
from rollbook.launch.interruption import Interruption, interruptible

ENGINE = "rollbook"


def execute(notebook: Path, output: Path, parameters: Mapping[str, Any], *, cwd: Path) -> None:
    """Execute `notebook` with papermill into `output`.

    Raises the RollbookError that a cell raised (its kind and its words), CancelledError after SIGINT or
    SIGTERM, EnvironmentFailedError when the kernel died or did not start, RollbookError for anything else.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    _register()
    with interruptible() as interruption:
        try:
            executed = papermill.execute_notebook(
                str(notebook),
                str(output),
                parameters=dict(parameters),
                engine_name=ENGINE,
                progress_bar=False,
                cwd=str(cwd),
            )
        except PapermillExecutionError as error:
            raise _translated(error.ename, error.evalue, interrupted=interruption.asked) from error
        except (DeadKernelError, RuntimeError) as error:
            interruption.check()
            raise EnvironmentFailedError(
                f"the kernel of {notebook.stem} died",
                why=str(error),
                next_step="Look at the machine's memory, and at what the notebook printed last.",
            ) from error
        finally:
            interruption.kernel_runs(None)
        interruption.check()
    _no_silent_end(executed)


def _no_silent_end(executed: Any) -> None:
    """papermill takes `SystemExit(0)` in a cell for success, although the cells after it did not run."""
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                raise _translated(output["ename"], output["evalue"], interrupted=False)


def _translated(name: str, words: str, *, interrupted: bool) -> RollbookError:
    """The error of a cell, by its class name; what the notebook printed has the details."""
    if name == "KeyboardInterrupt" or interrupted:
        return CancelledError("the run was interrupted")
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, RollbookError):
        return kind(words)
    return RollbookError(
        f"{name}: {words}", next_step="This is a bug of rollbook: the notebook has the details."
    )


def _register() -> None:
    """Teach papermill the engine, and nbclient our transport. Imported late: papermill is slow to import."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines

    if ENGINE in papermill_engines._engines:
        return

    class Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill is not typed
        """papermill's client over IPC sockets, which stops between cells when asked to."""

        def create_kernel_manager(self) -> Any:
            manager = super().create_kernel_manager()
            # A socket's path is at most 107 characters: a short folder of its own in the temporary folder.
            self._sockets = tempfile.mkdtemp(prefix="rollbook-")
            manager.transport = "ipc"
            manager.ip = str(Path(self._sockets) / "k")
            return manager

        def execute(self, **kwargs: Any) -> Any:
            try:
                return super().execute(**kwargs)
            finally:
                shutil.rmtree(self._sockets, ignore_errors=True)

        def papermill_execute_cells(self) -> None:
            if Interruption.current is not None:
                Interruption.current.kernel_runs(getattr(self.km.provisioner, "pid", None))
            super().papermill_execute_cells()

        def execute_cell(self, cell: Any, cell_index: int, **kwargs: Any) -> Any:
            if Interruption.current is not None:
                Interruption.current.check()
            return super().execute_cell(cell, cell_index, **kwargs)

    class RollbookEngine(NBClientEngine):  # type: ignore[misc]  # papermill is not typed
        """papermill's engine with that client."""

        @classmethod
        def execute_managed_notebook(
            cls, nb_man: Any, kernel_name: str, start_timeout: float = 60, **kwargs: Any
        ) -> Any:
            kept = {key: kwargs[key] for key in ("log_output", "stdout_file", "stderr_file") if key in kwargs}
            client = Client(nb_man, kernel_name=kernel_name, startup_timeout=start_timeout, **kept)
            return client.execute()

    papermill_engines.register(ENGINE, RollbookEngine)
