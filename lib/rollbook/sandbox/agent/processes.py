"""Containers as process groups, each under a shim that outlives the agent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from rollbook.errors import NotFoundError
from rollbook.sandbox.agent.records import ProcessRef

CONTAINER_VARIABLE = "ROLLBOOK_CONTAINER_ID"
"""Marks all processes of a container, those too that left its session."""

KILLED = 128 + signal.SIGKILL
_LOG = "log"
_EXIT = "exit"
_MAIN = "main"
_SWEEPS = 5
"""A process may be forked while the others are killed; so look again."""

# A shell of about 1 MB a container: it keeps the exit code when the agent is not there to see it, and takes
# the rest of the process group along when the main process ends. SIGTERM is for that one: the shim waits.
_SHIM = """
trap : HUP INT TERM
ulimit -c 0
folder=$1; shift
/bin/sh -c 'echo $$ >"$1"; shift; exec "$@"' shim "$folder/main" "$@"
echo $? >"$folder/exit"
kill -KILL 0
"""


@dataclass(frozen=True)
class Exit:
    """How a process ended (128 + signal when one killed it), and when (seconds since the epoch)."""

    code: int
    finished_at: float


def log_file(folder: Path) -> Path:
    """The file that a container's output goes to."""
    return folder / _LOG


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone (or a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # Counted from the third field of proc(5): state is its number 3, starttime its number 22.
    return None if fields[0] in {"Z", "X"} else int(fields[19])


class ContainerProcess:
    """A container's main process and all that it started, ours or taken over from an earlier agent."""

    def __init__(
        self, ref: ProcessRef, folder: Path, container_id: str, child: subprocess.Popen[bytes] | None
    ) -> None:
        self.ref = ref
        self._folder = folder
        self._id = container_id
        self._child = child

    @classmethod
    def start(
        cls, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, folder: Path, container_id: str
    ) -> ContainerProcess:
        """Start a command in a session of its own, its output in the folder's log. OSError when it fails."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log_file(folder).open("ab") as output:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _SHIM, "shim", str(folder), *command],
                env={**env, CONTAINER_VARIABLE: container_id},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(ProcessRef(child.pid, start_ticks(child.pid) or 0), folder, container_id, child)

    @classmethod
    def adopt(cls, ref: ProcessRef, folder: Path, container_id: str) -> ContainerProcess:
        """Take over a process that an earlier agent started, running or not."""
        return cls(ref, folder, container_id, None)

    async def wait(self) -> Exit:
        """Wait for the end, without polling, and see to it that nothing of the container is left."""
        with suppress(ProcessLookupError, NotFoundError):
            await self._ended()
        if self._child is not None:
            self._child.wait()
        self.kill()
        return self._exit()

    async def _ended(self) -> None:
        descriptor = os.pidfd_open(self.ref.shim)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        try:
            if start_ticks(self.ref.shim) != self.ref.started_ticks:
                raise NotFoundError(f"process {self.ref.shim} is not the container's any more")
            loop.add_reader(descriptor, _resolve, ended)
            await ended
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def terminate(self) -> None:
        """SIGTERM to the main process."""
        with suppress(OSError, ValueError):
            main = int((self._folder / _MAIN).read_text())
            if os.getsid(main) == self.ref.shim:
                os.kill(main, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to every process of the container."""
        sweep(CONTAINER_VARIABLE, self._id)

    def _exit(self) -> Exit:
        file = self._folder / _EXIT
        try:
            return Exit(int(file.read_text()), file.stat().st_mtime)
        except (OSError, ValueError):
            # The shim was killed with its group before it could tell: that is what SIGKILL does.
            return Exit(KILLED, _modified(log_file(self._folder)))


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def sweep(variable: str, value: str) -> None:
    """SIGKILL to every process that carries this environment variable."""
    mark = f"{variable}={value}".encode()
    for _ in range(_SWEEPS):
        marked = [pid for pid in psutil.pids() if _carries(pid, mark)]
        for pid in marked:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not marked:
            return


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


async def run_command(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout_s: float | None
) -> tuple[int, str]:
    """Run a command to its end: exit code and its output (at most 10 KiB). TimeoutError when it takes longer.

    Its whole process group is killed at the end, whatever happens. OSError when it cannot be started.
    """
    child = await asyncio.create_subprocess_exec(
        *command,
        env=dict(env),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await child.communicate()
            return await child.wait(), output[:10240].decode(errors="replace")
    finally:
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        # Shielded: a probe that is cancelled must not leave a zombie behind.
        await asyncio.shield(child.wait())
