"""Runs Terraform so that nothing is lost: it is interrupted once, waited for, and has a deadline of its own.

It writes to a file that is read while it grows, and not to a pipe: should this process die, Terraform goes
on, and a write to a pipe that nobody reads would end it before it has saved its state.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rollbook.errors import EnvironmentFailedError

POLL_S = 0.05
PRIVATE = 0o600
GRACE_S = 60.0
"""How long Terraform may take to end by itself after its deadline. It saves what it has made until then."""
LAST_GRACE_S = 10.0
"""How long it may take after a second interrupt, at which it drops what is under way; then it is killed."""


@dataclass(frozen=True)
class Ended:
    """How a command ended; `interrupted` when it was asked to stop before, `overdue` when that was because it
    took longer than it may: `until_then` is what it had printed by its deadline. `orderly` is false when it
    had to be stopped with what was under way."""

    code: int
    stdout: str
    stderr: str
    interrupted: bool = False
    overdue: bool = False
    until_then: str = ""
    orderly: bool = True


def followed(
    argv: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    log: Path,
    within_s: float = math.inf,
    grace_s: float = GRACE_S,
    each: Callable[[str], None] = lambda _line: None,
) -> Ended:
    """Run a command, and give each line of its standard output to `each` when it comes.

    SIGINT and SIGTERM (in the main thread) and whatever `each` raises are passed on as one SIGINT; then the
    command is waited for, however long it takes, and `each` is called on. What `each` raised is raised at the
    end. `log` gets standard output, and a file beside it standard error; both are closed to other users.

    After `within_s` seconds it gets a SIGINT too. If it has not ended `grace_s` seconds later it gets a
    second one, and is killed with all that it started `LAST_GRACE_S` (or `grace_s`) seconds after that: an
    answer that never comes must not be waited for by everybody.
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
        end = _End(process, within_s, grace_s, log)
        rest = b""
        while True:
            ended = process.poll() is not None  # looked at before reading, so that the last lines are read
            try:
                if asked:
                    interrupt()
                end.look(interrupt)
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
    by_others = bool(asked) or failed is not None
    # What was told to stop when it had just done everything is not late.
    overdue = end.passed and process.returncode != 0 and not by_others
    return Ended(
        process.returncode, stdout, stderr, by_others or overdue, overdue, end.until_then, end.orderly
    )


class _End:
    """Sees to it that a command ends: asked first, then told, then killed."""

    def __init__(self, process: subprocess.Popen[bytes], within_s: float, grace_s: float, log: Path) -> None:
        self.passed = False
        self.until_then = ""
        self.orderly = True
        self._log = log
        self._process = process
        began = time.monotonic()
        self._at = began + within_s
        self._again_at = self._at + grace_s
        self._kill_at = self._again_at + min(grace_s, LAST_GRACE_S)

    def look(self, interrupt: Callable[[], None]) -> None:
        """Do what is due; `interrupt` asks the command to end, once."""
        now = time.monotonic()
        if now < self._at or self._process.poll() is not None:
            return
        if not self.passed:
            # What it waits for fails when it is interrupted, and would not be told.
            self.passed, self.until_then = True, self._log.read_text("utf-8", "replace")
        interrupt()
        if now >= self._again_at and self.orderly:
            self.orderly = False
            self._process.send_signal(signal.SIGINT)
        if now >= self._kill_at:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


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
