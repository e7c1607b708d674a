"""Runs Terraform so that nothing is lost: it is interrupted at most once, and always waited for.

It writes to a file that is read while it grows, and not to a pipe: should this process die, Terraform goes
on, and a write to a pipe that nobody reads would end it before it has saved its state.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rollbook.errors import EnvironmentFailedError

POLL_S = 0.05
PRIVATE = 0o600


@dataclass(frozen=True)
class Ended:
    """How a command ended; `interrupted` when it was asked to stop before."""

    code: int
    stdout: str
    stderr: str
    interrupted: bool = False


def followed(
    argv: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    log: Path,
    each: Callable[[str], None] = lambda _line: None,
) -> Ended:
    """Run a command, and give each line of its standard output to `each` when it comes.

    SIGINT and SIGTERM (in the main thread) and whatever `each` raises are passed on as one SIGINT; then the
    command is waited for, however long it takes, and `each` is called on. What `each` raised is raised at the
    end. `log` gets standard output, and a file beside it standard error; both are closed to other users.
    """
    process: subprocess.Popen[bytes] | None = None
    errors = log.with_suffix(".err")
    failed: BaseException | None = None
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        if not interrupted and process is not None:
            interrupted = True
            process.send_signal(signal.SIGINT)

    with _heard() as asked, _private(log) as out, _private(errors) as err, log.open("rb") as lines:
        # A session of its own: Ctrl-C of a terminal and the interrupt of a kernel reach whole groups of
        # processes, and a second SIGINT would make Terraform drop everything.
        process = _started(argv, cwd, environ, out, err)
        rest = b""
        while True:
            ended = process.poll() is not None  # looked at before reading, so that the last lines are read
            try:
                if asked:
                    interrupt()
                rest = _told(rest + lines.read(), each if failed is None else None)
                if ended:
                    break
                time.sleep(POLL_S)
            except BaseException as error:
                failed = failed or error
                interrupt()
    stdout, stderr = (path.read_text("utf-8", "replace") for path in (log, errors))
    if failed is not None and not isinstance(failed, KeyboardInterrupt):
        raise failed
    return Ended(process.returncode, stdout, stderr, interrupted)


def _told(content: bytes, each: Callable[[str], None] | None) -> bytes:
    """Give whole lines to `each`; what comes after the last of them."""
    *whole, rest = content.split(b"\n")
    for line in whole:
        if line.strip() and each is not None:
            each(line.decode("utf-8", "replace"))
    return rest


def _started(
    argv: Sequence[str], cwd: Path, environ: Mapping[str, str], out: int, err: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    except OSError as error:
        raise EnvironmentFailedError(
            f"{argv[0]} cannot be started",
            why=error.strerror or str(error),
            next_step="Install Terraform 1.11 or newer, and put it on the PATH.",
        ) from error


@contextmanager
def _private(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _heard() -> Iterator[list[int]]:
    """Signals that asked to stop within the block; handlers are put back at its end.

    Outside of the main thread none is heard: Python allows no handlers there.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def hear(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
