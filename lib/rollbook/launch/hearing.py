"""Listens to a kernel: each message goes to the cell that it belongs to, and none is missed unnoticed."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from time import monotonic
from typing import Any

from nbclient import NotebookClient
from nbclient.client import timestamp
from nbclient.exceptions import CellExecutionComplete

from rollbook.launch.ledger import Ledger
from rollbook.launch.notebook_json import output_from_message
from rollbook.launch.outputs import Outputs
from rollbook.launch.saving import Saver
from rollbook.launch.scrubbing import Scrub

logger = logging.getLogger("rollbook.engine")

FAIR_S = 0.05
"""A flood of messages lets everything else have its turn this often."""
TOO_FAST = "the cell printed faster than its kernel could send; fewer and longer messages get through"


class Running:
    """A cell that was sent to the kernel."""

    def __init__(self, cell: Any, index: int, outputs: Outputs) -> None:
        self.cell = cell
        self.index = index
        self.outputs = outputs
        self.began_at = self.heard_at = monotonic()
        self.idle_at = math.inf
        self.ledger = Ledger()
        self.begun = asyncio.Event()
        self.idle = asyncio.Event()

    def note(self, message: Any, *, of_cell: bool) -> None:
        """Count a message of the kernel."""
        if self.ledger.begun:
            self.ledger.heard(message, of_cell=of_cell)
        elif of_cell:
            self.ledger.begin(message)

    def answered(self, reply: Any) -> None:
        """Take what the kernel's reply says of the cell."""
        self.note(reply, of_cell=True)
        self.cell.metadata["execution"]["shell.execute_reply"] = timestamp(reply)
        if self.cell.execution_count is None:
            self.cell.execution_count = reply["content"].get("execution_count")


class Hearing(NotebookClient):
    """nbclient, with outputs that are capped and saved as they come.

    `name` is the notebook's, for messages; `files` are where papermill wants a copy of a stream to go.
    """

    def __init__(
        self,
        notebook: Any,
        saver: Saver,
        *,
        name: str,
        scrub: Scrub | None,
        log_output: bool,
        files: Mapping[str, Any],
        **settings: Any,
    ) -> None:
        super().__init__(notebook, **settings)
        self._saver = saver
        self._name = name
        self._scrub = scrub
        self._log_output = log_output
        self._files = files
        self._channels: Any = None  # nbclient's kc, which is None before and after
        self._reader: asyncio.Task[None]
        self._runs: dict[str, Running] = {}
        self._current: Running | None = None
        self._displays: dict[str, list[tuple[Any, int]]] = {}

    async def _drain(self, run: Running) -> None:
        """Wait for the rest of what the cell shows, as long as more of it comes."""
        while not run.idle.is_set():
            try:
                await asyncio.wait_for(run.idle.wait(), self.iopub_timeout)
            except TimeoutError:
                if self._reader.done() or monotonic() - run.heard_at > self.iopub_timeout:
                    break
        if run.ledger.lost or not run.idle.is_set():
            text = f"[{run.ledger.lost or 'some'} messages are lost: {TOO_FAST}]"
            run.outputs.stream("stderr", f"\n{text}\n")
            self._saver.touch(run.index)
            logger.warning("%s: cell %d: %s", self._name, run.index + 1, text)

    async def _read(self) -> None:
        """Take every message to the cell that it belongs to, also when that cell has ended long ago."""
        socket, session = self._channels.iopub_channel.socket, self._channels.session
        turn = monotonic()
        while True:
            # Not the channel's get_msg: it polls before each message, which costs as much as reading it.
            _identities, frames = session.feed_identities(await socket.recv_multipart())
            message = session.deserialize(frames)
            run = self._runs.get(message["parent_header"].get("msg_id"))
            if self._current is not None:
                self._current.note(message, of_cell=run is self._current)
            if run is not None:
                run.heard_at = monotonic()
                try:
                    self.process_message(message, run.cell, run.index)
                except CellExecutionComplete:
                    run.idle_at = monotonic()
                    run.idle.set()
                if message["msg_type"] == "execute_input":
                    run.begun.set()
            if monotonic() - turn > FAIR_S:
                await asyncio.sleep(0)
                turn = monotonic()

    def output(self, outs: Any, msg: Any, display_id: str | None, cell_index: int) -> Any:
        """Take one output; called by nbclient for each."""
        parent = msg["parent_header"].get("msg_id")
        if self.output_hook_stack[parent]:
            return super().output(outs, msg, display_id, cell_index)
        run = self._runs[parent]
        self._saver.touch(cell_index)
        if msg["msg_type"] == "stream":
            self._stream(run, msg["content"]["name"], msg["content"]["text"])
            return None
        try:
            shown = output_from_message(msg)
        except ValueError:
            logger.warning("%s: a message of kind %s is not understood", self._name, msg["msg_type"])
            return None
        run.outputs.add(shown)
        if display_id:
            self._displays.setdefault(display_id, []).append((shown, cell_index))
        if self._log_output and "text/plain" in shown.get("data", {}):
            self.log.info(self._clean(shown["data"]["text/plain"]))
        return None

    def _stream(self, run: Running, name: str, text: str) -> None:
        run.outputs.stream(name, text)
        if self._log_output:
            self.log.log(logging.INFO if name == "stdout" else logging.WARNING, self._clean(text))
        file = self._files.get(name)
        if file:
            file.write(self._clean(text))
            file.flush()

    def _clean(self, text: str) -> str:
        return self._scrub(text) if self._scrub else text

    def clear_output(self, outs: Any, msg: Any, cell_index: int) -> None:
        """Forget what a cell showed; called by nbclient."""
        parent = msg["parent_header"].get("msg_id")
        if self.output_hook_stack[parent]:
            super().clear_output(outs, msg, cell_index)
            return
        self._runs[parent].outputs.clear(wait=bool(msg["content"].get("wait")))
        self._saver.touch(cell_index)

    def _update_display_id(self, display_id: str, msg: Any) -> None:
        """Replace what is shown under an id, in whatever cell; called by nbclient."""
        content = msg["content"]
        for shown, index in self._displays.get(display_id, ()):
            shown["data"], shown["metadata"] = content["data"], content["metadata"]
            self._saver.touch(index)
