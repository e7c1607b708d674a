from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from rollbook.sandbox.agent.memory import MemoryWatch
from rollbook.sandbox.agent.processes import ContainerProcess, Exit, log_file, run_command
from rollbook.sandbox.agent.records import ProcessRef

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def start(tmp_path: Path, *command: str) -> ContainerProcess:
    """A container of its own."""
    return ContainerProcess.start(
        command, env=ENV, cwd=tmp_path, folder=tmp_path / "run", container_id=uuid4().hex
    )


def alive(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def printed(tmp_path: Path, text: str) -> None:
    """Wait until the container has printed this."""
    async with asyncio.timeout(120):
        while text not in log_file(tmp_path / "run").read_text():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill $$", 143)]
)
def test_exit_codes(tmp_path: Path, script: str, code: int) -> None:
    """The exit code is the program's own, or 128 and the signal that killed it."""

    async def go() -> Exit:
        return await start(tmp_path, "sh", "-c", script).wait()

    assert code == asyncio.run(go()).code


def test_output(tmp_path: Path) -> None:
    """Both output streams go to the log."""

    async def go() -> None:
        await start(tmp_path, "sh", "-c", "echo out; echo err >&2").wait()

    asyncio.run(go())
    assert log_file(tmp_path / "run").read_text() == "out\nerr\n"


def test_sigterm_is_for_the_main_process(tmp_path: Path) -> None:
    """SIGTERM reaches the main process, which may end in its own time with its own code."""

    async def go() -> Exit:
        process = start(
            tmp_path, "sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done"
        )
        await printed(tmp_path, "up")
        process.terminate()
        return await process.wait()

    assert asyncio.run(go()).code == 5
    assert log_file(tmp_path / "run").read_text() == "up\nbye\n"


def test_nothing_is_left(tmp_path: Path) -> None:
    """Children go with the main process, also those that left its session."""
    script = "setsid sleep 300 & echo $!; sleep 301 & echo $!; sleep 0.2"

    async def go() -> None:
        await start(tmp_path, "sh", "-c", script).wait()

    asyncio.run(go())
    children = [int(line) for line in log_file(tmp_path / "run").read_text().split()]
    assert len(children) == 2
    assert [pid for pid in children if alive(pid)] == []


def test_kill(tmp_path: Path) -> None:
    """SIGKILL ends a container that ignores SIGTERM, and is told as 137."""

    async def go() -> Exit:
        process = start(tmp_path, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done")
        await printed(tmp_path, "up")
        process.terminate()
        process.kill()
        return await process.wait()

    assert asyncio.run(go()).code == 137


def test_adoption(tmp_path: Path) -> None:
    """The exit code of a process that another agent started is known, also if it ended in between."""
    script = (
        "import sys; from pathlib import Path;"
        "from rollbook.sandbox.agent.processes import ContainerProcess as P;"
        "p = P.start(['sh', '-c', 'sleep 0.4; exit 9'], env={'PATH': '/usr/bin:/bin'}, cwd=Path('/'),"
        "folder=Path(sys.argv[1]), container_id='adopted'); print(p.ref.shim, p.ref.started_ticks)"
    )
    folder = tmp_path / "run"
    told = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True
    )
    shim, ticks = map(int, told.stdout.split())

    async def wait() -> Exit:
        return await ContainerProcess.adopt(ProcessRef(shim, ticks), folder, "adopted").wait()

    before = time.time()
    assert asyncio.run(wait()).code == 9
    again = asyncio.run(wait())
    assert again.code == 9
    assert abs(again.finished_at - before) < 30


def test_another_process_of_that_number(tmp_path: Path) -> None:
    """A process id that now belongs to something else is not taken for the container."""

    async def go() -> Exit:
        return await ContainerProcess.adopt(ProcessRef(os.getpid(), 1), tmp_path, "gone").wait()

    assert asyncio.run(go()).code == 137


def test_memory_watch(tmp_path: Path) -> None:
    """A container above its limit is told with what it uses; one below is left alone."""
    told: dict[str, int] = {}

    async def go() -> None:
        watch = MemoryWatch()
        task = asyncio.create_task(watch.run())
        script = "import time; x = b'x' * 60_000_000; print('full', flush=True); time.sleep(60)"
        process = start(tmp_path, sys.executable, "-c", script)
        await printed(tmp_path, "full")
        watch.add("big", process.ref.shim, 40_000_000, lambda used: told.update(big=used))
        watch.add("small", process.ref.shim, 10**12, lambda used: told.update(small=used))
        async with asyncio.timeout(120):
            while "big" not in told:
                await asyncio.sleep(0.05)
        task.cancel()
        process.kill()
        await process.wait()

    asyncio.run(go())
    assert list(told) == ["big"]
    assert told["big"] > 60_000_000


def test_command_timeout(tmp_path: Path) -> None:
    """A command that takes too long is ended with its children."""
    child = ["sleep", f"302.{uuid4().int % 10**9}"]  # nobody else's

    async def go() -> None:
        with pytest.raises(TimeoutError):
            await run_command(["sh", "-c", f"{' '.join(child)}; true"], env=ENV, cwd=tmp_path, timeout_s=0.2)

    asyncio.run(go())
    left = [item for item in psutil.process_iter(["cmdline"]) if item.info["cmdline"] == child]
    assert left == []
