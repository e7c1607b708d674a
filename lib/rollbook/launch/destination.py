"""Where papermill is told to put the executed notebook, and papermill's own last write of it made atomic.

papermill writes the notebook once more after its engine has returned, by truncating the file first. Its IO
handlers are open to others: one is registered for the very path, so that this write is a rename too.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from papermill.iorw import LocalHandler, papermill_io

from rollbook.errors import EnvironmentFailedError
from rollbook.launch.saving import LocalFile, Nowhere, Store

logger = logging.getLogger("rollbook.engine")


def destination(output_path: str | None) -> Store:
    """The store for papermill's `output_path`: a local file, whatever else papermill knows, or none."""
    if output_path is None:
        return Nowhere()
    handler = papermill_io.get_handler(output_path)
    if isinstance(handler, AtomicHandler):
        return handler.file()
    if not isinstance(handler, LocalHandler):
        return Remote(output_path, handler)
    path = _absolute(output_path)
    if path.exists() and not path.is_file():
        return Remote(output_path, handler)  # a device or a pipe: replacing it would be vandalism
    atomic = AtomicHandler(output_path)
    papermill_io.register(output_path, atomic)
    return atomic.file()


class Remote:
    """Somewhere that papermill's own handler reaches (an object store). Logs beside it are not kept."""

    def __init__(self, path: str, handler: Any) -> None:
        self._path = path
        self._handler = handler

    def write(self, content: str) -> None:
        """Let the handler write. EnvironmentFailedError when it cannot, whatever it raises."""
        try:
            self._handler.write(content, self._path)
        except Exception as error:
            raise EnvironmentFailedError(f"cannot write {self._path}", why=str(error)) from error

    def log(self, index: int, scrub: Any) -> None:
        """No place."""


class AtomicHandler:
    """papermill's handler for one local path, which replaces the file instead of writing into it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.is_saved = False
        """The engine has saved the whole notebook: papermill's write of it may fail without a loss."""

    def file(self) -> LocalFile:
        """The file that the path means now, for a new run: relative paths are papermill's to resolve."""
        self.is_saved = False
        file = LocalFile(_absolute(self._path))
        file.forget_logs()
        return file

    def read(self, path: str) -> Any:
        """As papermill does."""
        return _local().read(path)

    def listdir(self, path: str) -> Any:
        """As papermill does."""
        return _local().listdir(path)

    def pretty_path(self, path: str) -> str:
        """As papermill does."""
        return path

    def write(self, content: str, path: str) -> None:
        """Replace the file. EnvironmentFailedError when the disk refuses and no whole notebook is there."""
        try:
            LocalFile(_absolute(path)).write(content)
        except EnvironmentFailedError as error:
            if not self.is_saved or path != self._path:
                raise
            logger.warning("papermill could not add its last marks to the executed notebook: %s", error)


def saved(output_path: str | None) -> None:
    """Note that the engine's own last save of this path went well."""
    handler = papermill_io.get_handler(output_path)
    if isinstance(handler, AtomicHandler):
        handler.is_saved = True


def _local() -> Any:
    return papermill_io.get_handler("local")


def _absolute(path: str) -> Path:
    """papermill resolves a relative path in the folder that it was started in; its handler knows it."""
    if Path(path).is_absolute():
        return Path(path).resolve()
    handler = _local()
    folder = handler.cwd(None)
    handler.cwd(folder)
    return (Path(folder or ".") / path).resolve()
