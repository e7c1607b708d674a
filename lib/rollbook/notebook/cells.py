"""How a runbook's cells fail: one readable line, and whoever keeps the record is told."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from rollbook.errors import RollbookError


def readable_errors() -> None:
    """In IPython, show a RollbookError as what happened, why and what to do, not as a traceback."""
    shell = _shell()
    if shell is not None:
        shell.set_custom_exc((RollbookError,), _show)


def on_cell_error(told: Callable[[BaseException], None]) -> None:
    """In IPython, call `told` once, with the error of the first cell that raises after this."""
    shell = _shell()
    if shell is None:
        return

    def after_cell(result: Any) -> None:
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, BaseException):
            shell.events.unregister("post_run_cell", after_cell)
            told(error)

    shell.events.register("post_run_cell", after_cell)


def running_cell() -> int | None:
    """Number of the cell that runs now, as the notebook shows it (`In [7]`); None outside of IPython."""
    shell = _shell()
    return None if shell is None else int(shell.execution_count)


def _show(
    shell: Any,
    kind: type[RollbookError],
    error: RollbookError,
    _traceback: TracebackType | None,
    tb_offset: int | None = None,  # noqa: ARG001  # IPython passes it by this name
) -> list[str]:
    lines = [f"{kind.__name__}: {error.what}"]
    if error.why:
        lines.append(f"  why: {error.why}")
    if error.next_step:
        lines.append(f"  next: {error.next_step}")
    shell._showtraceback(kind, error, lines)
    return lines


def _shell() -> Any:
    """IPython's shell, None outside of it."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    return get_ipython()
