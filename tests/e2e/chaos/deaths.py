"""The deaths themselves: each strikes a run under way, and is healed when its block ends."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.e2e.chaos.scene import Running, Scene
from tests.e2e.chaos.throttle import Throttle

from rollbook.sandbox import processes
from rollbook.sandbox.state import read_state

ADDRESS_SPACE = 64 * 2**20
"""Bytes that the kernel may map: less than it has mapped already, so that it gets no more memory."""
BRIEFLY_S = 2.0
AGAIN_S = 0.05
FEW_CALLS = 3


@dataclass(frozen=True)
class Struck:
    """What a death may lay hands on."""

    scene: Scene
    running: Running
    throttle: Throttle


Death = Callable[[Struck], AbstractContextManager[None]]


def signalled(number: signal.Signals) -> Death:
    """The launcher is asked to stop."""

    @contextmanager
    def strike(struck: Struck) -> Iterator[None]:
        struck.running.process.send_signal(number)
        yield

    return strike


@contextmanager
def kernel_killed(struck: Struck) -> Iterator[None]:
    """The notebook's process is gone without a word, as after the machine's out-of-memory killer."""
    struck.running.kernel().kill()
    yield


@contextmanager
def kernel_starved(struck: Struck) -> Iterator[None]:
    """The notebook's process gets no more memory from the system: its next large allocation fails."""
    struck.running.kernel().rlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    yield


@contextmanager
def launcher_killed(struck: Struck) -> Iterator[None]:
    """`kill -9` of the command: nobody is left to bring anything back."""
    struck.running.process.kill()
    yield


@contextmanager
def machine_rebooted(struck: Struck) -> Iterator[None]:
    """Every process of the run and of the sandbox is gone, and the machine has another boot id.

    Emulated: the boot id that the sandbox wrote down is replaced, since the machine's own cannot be. What a
    reboot does to the disk's caches and to process ids is not.
    """
    tag = struck.scene.home.tag
    family = struck.running.family()
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    processes.end_marked(tag)
    state = struck.scene.home.state
    before = json.loads(state.read_text())
    state.write_text(json.dumps({**before, "boot_id": "00000000-0000-0000-0000-000000000000"}))
    yield


def component_killed(name: str) -> Death:
    """A component of the sandbox dies once; the supervisor starts it again."""

    @contextmanager
    def strike(struck: Struck) -> Iterator[None]:
        os.kill(_pid(struck.scene, name), signal.SIGKILL)
        yield

    return strike


def component_hangs(name: str, seconds: float) -> Death:
    """A component of the sandbox does not answer for a while, although it is there."""

    @contextmanager
    def strike(struck: Struck) -> Iterator[None]:
        pid = _pid(struck.scene, name)
        os.kill(pid, signal.SIGSTOP)
        timer = threading.Timer(seconds, _continue, (pid,))
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            _continue(pid)

    return strike


def component_gone(name: str) -> Death:
    """A component of the sandbox is killed again and again, as soon as it is started."""

    @contextmanager
    def strike(struck: Struck) -> Iterator[None]:
        over = threading.Event()

        def keep_down() -> None:
            while not over.is_set():
                pid = _pid(struck.scene, name)
                if pid:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(AGAIN_S)

        thread = threading.Thread(target=keep_down, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    return strike


def throttled(calls: float) -> Death:
    """AWS refuses the next calls."""

    @contextmanager
    def strike(struck: Struck) -> Iterator[None]:
        struck.throttle.refuse(calls)
        try:
            yield
        finally:
            struck.throttle.refuse(0)

    return strike


@contextmanager
def disk_full(struck: Struck) -> Iterator[None]:
    """Not one block is free on the file system of the run's folder."""
    ballast = struck.running.out / "ballast.bin"
    _fill(ballast)
    try:
        yield
    finally:
        ballast.unlink()


def _fill(ballast: Path) -> None:
    handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (2**20, 4096):
            while _written(handle, size):
                pass
    finally:
        os.close(handle)


def _written(handle: int, size: int) -> bool:
    """Whether there was still room for some of it."""
    try:
        return os.write(handle, bytes(size)) > 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False


def _continue(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _pid(scene: Scene, name: str) -> int:
    """Process id of a component; 0 while there is none."""
    state = read_state(scene.home)
    return int(state["units"][name]["pid"]) if state is not None else 0
