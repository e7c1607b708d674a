"""Saves an executed notebook whole or not at all, not too often, and each cell only when it changed."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from pathlib import Path
from typing import Any, Protocol

from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.folder import write_atomically
from rollbook.launch.notebook_json import cell_json, notebook_json
from rollbook.launch.outputs import HAS_ALL, HAS_PART, Log, Outputs
from rollbook.launch.scrubbing import Scrub

logger = logging.getLogger("rollbook.engine")


class Store(Protocol):
    """Where an executed notebook goes."""

    def write(self, content: str) -> None:
        """Replace what is there. EnvironmentFailedError when it cannot be done; the old content stays."""

    def log(self, index: int, scrub: Scrub | None) -> Log | None:
        """Where all that a cell prints may go; None when there is no place for it."""


class Nowhere:
    """No place: the notebook is only returned."""

    def write(self, content: str) -> None:
        """Keep nothing."""

    def log(self, index: int, scrub: Scrub | None) -> Log | None:  # noqa: ARG002  # nothing is kept
        """No place."""
        return None


class LocalFile:
    """A file of this machine, replaced atomically."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, content: str) -> None:
        """Write beside it, fsync, rename."""
        # A lone surrogate cannot be UTF-8; written as an escape it is the same JSON.
        write_atomically(self.path, content.encode("utf-8", errors="backslashreplace"))

    def forget_logs(self) -> None:
        """Remove the logs that the notebook to be replaced refers to: they are not of this run."""
        try:
            told = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        for name in re.findall(rf"{re.escape(self.path.stem)}\.\d+\.log(?= {HAS_ALL}| {HAS_PART})", told):
            self.path.with_name(name).unlink(missing_ok=True)

    def log(self, index: int, scrub: Scrub | None) -> Log | None:
        """`<name>.<cell>.log` beside the notebook; cells are counted from 1."""
        return Log(self.path.with_name(f"{self.path.stem}.{index + 1}.log"), scrub)


class Saver:
    """Knows which cells changed since they were last serialised, so that a save costs only those.

    `store` is where the notebook goes; `every_s` is the pause between two saves in seconds.
    """

    def __init__(self, nb: Any, store: Store, scrub: Scrub | None, every_s: float) -> None:
        self.nb = nb
        self.problem: EnvironmentFailedError | None = None
        self._store = store
        self._scrub = scrub
        self._every_s = every_s
        self._outputs: dict[int, Outputs] = {}
        self._cells: dict[int, str] = {}
        self._changed = True
        self._writing = threading.Lock()

    def watch(self, index: int, cap: int) -> Outputs:
        """New outputs for a cell, from now on the ones that are saved."""
        outputs = Outputs(cap, self._store.log(index, self._scrub), self._scrub)
        self._outputs[index] = outputs
        self.touch(index)
        return outputs

    def touch(self, index: int | None = None) -> None:
        """A cell changed; without an index, something else in the notebook did."""
        self._changed = True
        if index is not None:
            self._cells.pop(index, None)

    async def keep(self, stop: asyncio.Event) -> None:
        """Save every `every_s` seconds while something changes, until `stop`; again when the disk refused."""
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), self._every_s)
            except TimeoutError:
                if self._changed:
                    self._changed = False
                    await asyncio.to_thread(self._try, self.content())

    def save(self) -> None:
        """Save now. EnvironmentFailedError when it cannot be done."""
        self._changed = False
        self._write(self.content())

    def finish(self) -> EnvironmentFailedError | None:
        """Save for the last time; what is missing on disk, None when all of it is there."""
        for index, outputs in self._outputs.items():
            outputs.close()
            if outputs.problem:
                self.touch(index)
        self._try(self.content())
        if self.problem:
            return self.problem
        partial = [outputs.problem for outputs in self._outputs.values() if outputs.problem]
        if partial:
            return EnvironmentFailedError(
                "what a cell printed could not be written whole",
                why=partial[0],
                next_step="Free some space, and run again.",
            )
        return None

    def content(self) -> str:
        """The notebook as JSON, as nbformat writes it, scrubbed."""
        cells = [self._cell(index, cell) for index, cell in enumerate(self.nb.cells)]
        return notebook_json(self.nb, cells, self._scrub)

    def _cell(self, index: int, cell: Any) -> str:
        if index not in self._cells:
            if index in self._outputs:
                cell["outputs"] = self._outputs[index].rendered()
            self._cells[index] = cell_json(cell, self._scrub)
        return self._cells[index]

    def _try(self, content: str) -> None:
        try:
            self._write(content)
        except EnvironmentFailedError as error:
            if self.problem is None:
                logger.warning("the executed notebook could not be saved, and the run goes on: %s", error)
            self.problem = error
            self._changed = True

    def _write(self, content: str) -> None:
        with self._writing:
            self._store.write(content)
        self.problem = None
