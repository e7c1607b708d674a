"""Runs the cells of a notebook in a kernel: one life of a kernel, deadlines, interrupts, and true endings.

On nbclient, which starts kernels and understands their messages. Waiting is done here: nbclient's own cannot
interrupt a cell and let it undo what it did, and gives up on output that takes longer than a few seconds.
"""

from __future__ import annotations

import asyncio
import logging
import math
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import zmq
from nbclient.util import ensure_async, run_sync

from rollbook.errors import EnvironmentFailedError
from rollbook.launch.cells import CellState, Ending, EngineOptions
from rollbook.launch.hearing import Hearing, Running
from rollbook.launch.interruption import Interruption
from rollbook.launch.kernel_setup import SETUP
from rollbook.launch.last_words import LastWords
from rollbook.launch.notebook_json import new_output
from rollbook.launch.saving import Saver
from rollbook.launch.sockets import socket_folder

logger = logging.getLogger("rollbook.engine")

TICK_S = 0.2
"""How often a running cell is looked after: signals, deadlines, a kernel that died."""
BEGIN_S = 2.0
"""An interrupt waits so long for the kernel to say that it began: one that comes earlier is lost."""
LOST_REPLY_S = 5.0
"""An interrupt at the wrong moment makes a kernel idle without a reply; no other delay is that long."""
ERROR_NAMES = {CellState.TIMED_OUT: "DeadlinePassed", CellState.KERNEL_DIED: "KernelDied"}


class Client(Hearing):
    """nbclient over IPC sockets of its own, with a watch over each cell.

    `manager` keeps the cells' states (`began`, `ended`, `passed`); `name` is the notebook's, for messages.
    Further keyword arguments are nbclient's own settings.
    """

    def __init__(
        self,
        manager: Any,
        saver: Saver,
        options: EngineOptions,
        interruption: Interruption,
        *,
        name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            manager.nb,
            saver,
            name=name,
            scrub=options.scrub,
            log_output=log_output,
            files={"stdout": stdout_file, "stderr": stderr_file},
            **settings,
        )
        self._manager = manager
        self._options = options
        self._interruption = interruption
        self._kernels: Any = None  # nbclient's km, which is None before and after
        self._words: LastWords
        self._deadline = math.inf

    def run(self) -> Ending | None:
        """Run all cells; None when each ran to its end. EnvironmentFailedError when no kernel starts."""
        ending: Ending | None = run_sync(self._run)()
        return ending

    async def _run(self) -> Ending | None:
        if self._options.notebook_timeout_s:
            self._deadline = monotonic() + self._options.notebook_timeout_s
        stop = asyncio.Event()
        keeper = asyncio.create_task(self._saver.keep(stop))
        try:
            async with self._kernel():
                return await self._cells()
        finally:
            self.set_widgets_metadata()
            stop.set()
            await keeper

    @asynccontextmanager
    async def _kernel(self) -> AsyncIterator[None]:
        """A kernel and a reader of all that it says; neither is left, nor are its sockets."""
        with socket_folder() as folder:
            self.reset_execution_trackers()
            try:
                await self._start(folder)
                self._reader = asyncio.create_task(self._read())
                try:
                    yield
                finally:
                    self._reader.cancel()
                    await asyncio.gather(self._reader, return_exceptions=True)
            finally:
                if self.km is not None:
                    await self._async_cleanup_kernel()

    async def _start(self, folder: Path) -> None:
        self._words = LastWords(folder, self._options.scrub)
        try:
            manager = self._kernels = self.create_kernel_manager()
            manager.transport = "ipc"
            manager.ip = str(folder / "k")
            manager.connection_file = str(folder / "kernel.json")
            with self._words.open() as file:
                await self.async_start_new_kernel(stdout=file, stderr=file)
            self.kc = self._channels = manager.client()
            # A socket takes 1,000 messages by default, and what is more is dropped: a cell that logs line by
            # line would lose lines. Without a limit, here and in the kernel, they wait until they are read.
            self._channels.context.setsockopt(zmq.RCVHWM, 0)
            self._channels.start_channels()
            await self._channels.wait_for_ready(timeout=self.startup_timeout)
            self._channels.allow_stdin = False
            info = await self.async_wait_for_reply(self._channels.kernel_info())
            if manager.ipykernel:
                await self.async_wait_for_reply(self._channels.execute(SETUP, silent=True))
            self._words.forget()
        except (KeyError, RuntimeError, OSError) as error:  # KeyError: no such kernel is installed
            raise EnvironmentFailedError(
                f"the kernel of {self._name} did not start",
                why="; ".join(filter(None, (str(error), self._words.told()))),
                next_step=f"Look at the machine's memory, and for the kernel {self.kernel_name}.",
            ) from error
        if info is not None:
            self.nb.metadata["language_info"] = info["content"]["language_info"]

    async def _cells(self) -> Ending | None:
        for index, cell in enumerate(self.nb.cells):
            if self._interruption.asked:
                return Ending(index, CellState.INTERRUPTED, "interrupted before it began")
            if cell.cell_type != "code" or not cell.source.strip():
                self._manager.passed(index, CellState.COMPLETED)
                continue
            if self.skip_cells_with_tag in cell.metadata.get("tags", []):
                self._manager.passed(index, CellState.NOT_RUN)
                continue
            if monotonic() > self._deadline:
                return Ending(index, CellState.TIMED_OUT, f"{self._notebooks_deadline()} before it began")
            self._manager.began(index)
            state, why = await self._cell(cell, index)
            self._manager.ended(index, state)
            if state is not CellState.COMPLETED:
                return Ending(index, state, why)
        if self._interruption.asked:
            return Ending(len(self.nb.cells) - 1, CellState.INTERRUPTED, "interrupted at its end")
        return None

    async def _cell(self, cell: Any, index: int) -> tuple[CellState, str]:
        """Run one cell: what became of it, and why in words."""
        cell.metadata["execution"] = {}
        run = Running(cell, index, self._saver.watch(index, self._options.output_cap))
        allowed = not self.force_raise_errors and (
            self.allow_errors or "raises-exception" in cell.metadata.get("tags", [])
        )
        message = self._channels.execute(cell.source, store_history=True, stop_on_error=not allowed)
        self._runs[message] = self._current = run
        self.code_cells_executed += 1
        reply = asyncio.create_task(self._reply(message))
        try:
            state, why = await self._watch(reply, run)
        finally:
            reply.cancel()
            await asyncio.gather(reply, return_exceptions=True)
        if state is None:
            content = reply.result()["content"]
            if content["status"] == "ok":
                return CellState.COMPLETED, ""
            error = content.get("ename") or "KernelError"
            if allowed or (error in self.allow_error_names and not self.force_raise_errors):
                return CellState.COMPLETED, ""
            words = content.get("evalue", "")
            why = f"{error}: {words}"
            if not run.outputs.has_error:
                # Out of memory, a kernel answers and shows nothing: papermill would know no name for it.
                run.outputs.add(new_output("error", ename=error, evalue=words, traceback=[why]))
                self._saver.touch(run.index)
            return (CellState.INTERRUPTED if error == "KeyboardInterrupt" else CellState.FAILED), why
        return state, why

    async def _reply(self, message: str) -> Any:
        while True:
            reply = await ensure_async(self._channels.shell_channel.get_msg(timeout=None))
            if reply["parent_header"].get("msg_id") == message:
                return reply

    async def _watch(self, reply: asyncio.Task[Any], run: Running) -> tuple[CellState | None, str]:
        """Wait for a cell's end. A state when something but the cell itself decides what became of it."""
        cause: CellState | None = None
        why, grace_ends = "", math.inf
        while not await self._is_answered(reply):
            given_up = await self._given_up(run, cause, why, grace_ends)
            if given_up is not None:
                return self._noted(run, *given_up)
            if cause is None:
                cause, why = self._cause(run)
                if cause is not None:
                    logger.warning("%s: interrupting cell %d: %s", self._name, run.index + 1, why)
                    await self._interrupt(run)
                    grace_ends = monotonic() + self._options.grace_s
        told = reply.result()
        run.answered(told)
        await self._drain(run)
        if cause is CellState.TIMED_OUT:
            return self._noted(run, cause, why)
        return (None, "") if told["content"]["status"] == "ok" else (cause, why)

    async def _is_answered(self, reply: asyncio.Task[Any]) -> bool:
        """Wait for a moment. Raises what the reader of the messages met: a bug."""
        await asyncio.wait({reply, self._reader}, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
        if not reply.done() and self._reader.done():
            self._reader.result()
        return reply.done()

    async def _given_up(
        self, run: Running, cause: CellState | None, why: str, grace_ends: float
    ) -> tuple[CellState, str] | None:
        """What became of a cell whose kernel will not answer any more, and why; None while it may."""
        now = monotonic()
        status = await self._kernels.provisioner.poll()
        if status is not None:
            await asyncio.sleep(TICK_S)  # what it said last is still under way
            # A signal to a whole group of processes ends the kernel too: that is an interruption.
            asked = self._interruption.asked
            cause = cause or (CellState.INTERRUPTED if asked else CellState.KERNEL_DIED)
            said = self._words.told() if cause is CellState.KERNEL_DIED else ""
            return cause, "; ".join(filter(None, (why, f"its kernel {exit_words(status)}", said)))
        if cause is not None and now > grace_ends:
            await self._kernels.provisioner.kill()
            grace = f"{self._options.grace_s:g} s"
            return cause, f"{why}; it did not end within {grace}, so its kernel was killed"
        if now - run.idle_at > LOST_REPLY_S:
            return cause or CellState.INTERRUPTED, why or "interrupted before it began"
        return None

    def _cause(self, run: Running) -> tuple[CellState | None, str]:
        """Why the cell must stop now, if it must."""
        now = monotonic()
        if self._interruption.asked:
            return CellState.INTERRUPTED, "interrupted"
        if now > self._deadline:
            return CellState.TIMED_OUT, self._notebooks_deadline()
        limit = self._options.cell_timeout_s
        if limit and now - run.began_at > limit:
            return CellState.TIMED_OUT, f"it passed its deadline of {limit:g} s"
        return None, ""

    def _notebooks_deadline(self) -> str:
        return f"the notebook passed its deadline of {self._options.notebook_timeout_s:g} s"

    async def _interrupt(self, run: Running) -> None:
        """Interrupt the cell once, when the kernel has begun it: before, the kernel would not notice."""
        try:
            await asyncio.wait_for(run.begun.wait(), BEGIN_S)
        except TimeoutError:
            logger.warning("%s: the kernel never said that it began the cell", self._name)
        try:
            await ensure_async(self._kernels.interrupt_kernel())
        except (OSError, RuntimeError) as error:
            logger.warning("%s: cannot interrupt the kernel: %s", self._name, error)

    def _noted(self, run: Running, state: CellState, why: str) -> tuple[CellState, str]:
        """Let the cell itself show what ended it: the kernel could not."""
        name = ERROR_NAMES.get(state, "KeyboardInterrupt")
        run.outputs.add(new_output("error", ename=name, evalue=why, traceback=[f"{name}: {why}"]))
        self._saver.touch(run.index)
        return state, why


def exit_words(status: int) -> str:
    """How a kernel ended, in words: a negative status is a signal."""
    if status >= 0:
        return f"exited with code {status}"
    if status == -signal.SIGKILL:
        return "was killed (signal 9), perhaps out of memory"
    return f"was ended by signal {-status} ({signal.Signals(-status).name})"
