from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rollbook.errors import EnvironmentFailedError

_MODIFY = 0x2
_NONBLOCK = os.O_NONBLOCK
_CLOEXEC = os.O_CLOEXEC
_EVENT = struct.Struct("iIII")


class FileWatcher:
    """Calls back when a file is written to: the kernel's inotify, which Python's library does not offer.

    Needs a running event loop. Writes in quick succession may come as one call.
    EnvironmentFailedError when the machine allows no more watchers.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.inotify_init1(_NONBLOCK | _CLOEXEC)
        if self._descriptor < 0:
            raise EnvironmentFailedError(
                "the node agent cannot watch files",
                why=os.strerror(ctypes.get_errno()),
                next_step="Raise fs.inotify.max_user_instances with sysctl.",
            )
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)

    def watch(self, file: Path, callback: Callable[[], None]) -> int:
        """Call `callback` after each write; returns a handle for `unwatch`. OSError when it cannot be."""
        handle: int = self._libc.inotify_add_watch(self._descriptor, os.fsencode(file), _MODIFY)
        if handle < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch failed", str(file))
        self._callbacks[handle] = callback
        return handle

    def unwatch(self, handle: int) -> None:
        """End a watch; no-op when the file is gone."""
        if self._callbacks.pop(handle, None) is not None:
            self._libc.inotify_rm_watch(self._descriptor, handle)

    def close(self) -> None:
        """End all watches."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            events = os.read(self._descriptor, 64 * 1024)
            seen: dict[int, None] = {}
            offset = 0
            while offset < len(events):
                handle, _mask, _cookie, length = _EVENT.unpack_from(events, offset)
                seen[handle] = None
                offset += _EVENT.size + length
            for handle in seen:
                if callback := self._callbacks.get(handle):
                    callback()
