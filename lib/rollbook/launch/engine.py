"""The papermill engine `rollbook`: a notebook's executed copy is true however the notebook ends.

    papermill --engine rollbook in.ipynb out.ipynb

works on any notebook; `execute` is what `rollbook run` calls. This module is loaded by every papermill of the
environment, so it imports nothing that is slow; in particular not papermill, which is being imported then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rollbook import errors
from rollbook.errors import CancelledError, EnvironmentFailedError, RollbookError
from rollbook.launch.cells import CellEvent, EngineOptions
from rollbook.launch.interruption import interruptible

ENGINE = "rollbook"
OURS = frozenset(EngineOptions.__dataclass_fields__)


class RollbookEngine:
    """What papermill asks an engine for. Cells run one after the other in one kernel.

    Every field of EngineOptions may be given to `papermill.execute_notebook` as a keyword argument.
    papermill's `execution_timeout` is `cell_timeout_s`; its `autosave_cell_every` has no meaning here, for
    saving is not by cell.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: Any = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,  # noqa: ARG003  # papermill passes it
        **kwargs: Any,
    ) -> Any:
        """Run a notebook; see `run_managed` for what is returned and raised."""
        from rollbook.launch.managed import name_of, run_managed

        given = {key: value for key, value in kwargs.items() if key in OURS}
        rest = {key: value for key, value in kwargs.items() if key not in OURS}
        timeout = rest.pop("execution_timeout", None) or rest.pop("timeout", None)
        given.setdefault("cell_timeout_s", timeout)
        rest.pop("timeout", None)
        rest.pop("startup_timeout", None)
        rest["startup_timeout"] = rest.pop("start_timeout", None) or 60
        return run_managed(
            nb,
            kernel_name,
            output_path,
            EngineOptions(**given),
            name=name_of(rest.pop("input_path", None)),
            log_output=log_output,
            progress_bar=progress_bar,
            client_options=rest,
        )

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """The kernel that a notebook asks for. ValueError when it names none."""
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """The language of a notebook. ValueError when it names none."""
        from papermill.utils import nb_language

        return str(nb_language(nb, language))


def execute(
    notebook: Path,
    output: Path,
    parameters: Mapping[str, Any],
    *,
    cwd: Path,
    notebook_timeout_s: float | None = None,
    cell_timeout_s: float | None = None,
    grace_s: float = EngineOptions.grace_s,
    save_every_s: float = EngineOptions.save_every_s,
    output_cap: int = EngineOptions.output_cap,
    scrub: Callable[[str], str] | None = None,
    on_cell: Callable[[CellEvent], None] | None = None,
) -> None:
    """Execute `notebook` with papermill into `output`; its kernel starts in `cwd`. Times are in seconds.

    At a deadline or a signal the running cell is interrupted once and has `grace_s` to undo what it did. The
    executed notebook is saved every `save_every_s` while something changes, each text passed through `scrub`;
    a cell that prints more than `output_cap` characters keeps head and tail, with all of it in a file beside
    the notebook. `on_cell` is told when a code cell begins and ends.

    Raises the RollbookError that a cell raised (its kind and its words), CancelledError after SIGINT or
    SIGTERM, EnvironmentFailedError when the kernel died or did not start, a deadline passed, or the notebook
    could not be saved; RollbookError for anything else that a cell raised.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    _register()
    with interruptible() as interruption:
        try:
            executed = papermill.execute_notebook(
                str(notebook),
                str(output.absolute()),
                parameters=dict(parameters),
                engine_name=ENGINE,
                progress_bar=False,
                # For the kernel alone: papermill's own `cwd` changes that of the whole process meanwhile.
                resources={"metadata": {"path": str(cwd)}},
                notebook_timeout_s=notebook_timeout_s,
                cell_timeout_s=cell_timeout_s,
                grace_s=grace_s,
                save_every_s=save_every_s,
                output_cap=output_cap,
                scrub=scrub,
                on_cell=on_cell,
            )
        except PapermillExecutionError as error:
            why = "; ".join(getattr(error, "__notes__", ()))
            raise _translated(error.ename, error.evalue, why, interrupted=interruption.asked) from error
        interruption.check()
    _no_silent_end(executed)


def _no_silent_end(executed: Any) -> None:
    """papermill takes `SystemExit(0)` in a cell for success, although the cells after it did not run."""
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                raise _translated(output["ename"], output["evalue"], "", interrupted=False)


def _translated(name: str, words: str, why: str, *, interrupted: bool) -> RollbookError:
    """The error of a cell, by its class name; what the notebook printed has the details."""
    if name == "KeyboardInterrupt" or interrupted:
        return CancelledError("the run was interrupted", why=why)
    if name in {"MemoryError", "KernelError"}:
        return EnvironmentFailedError(
            "the notebook got no more memory from this machine"
            if name == "MemoryError"
            else "the kernel could not say what went wrong, perhaps for want of memory",
            why="; ".join(filter(None, (words, why))),
            next_step="Give it more memory, and look at what the notebook printed last.",
        )
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, RollbookError):
        return kind(words, why=why)
    return RollbookError(
        f"{name}: {words}",
        why=why,
        next_step="This is a bug of rollbook: the notebook has the details.",
    )


def _register() -> None:
    """Make papermill know the engine, also where rollbook is not installed and has no entry point."""
    from papermill.engines import papermill_engines

    papermill_engines.register(ENGINE, RollbookEngine)
