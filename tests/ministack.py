"""A MiniStack of the tests' own, apart from the sandbox's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rollbook.sandbox.home import Cache
from rollbook.sandbox.progress import SilentProgress
from rollbook.sandbox.toolchain import ministack_folder

START_TIMEOUT_S = 120.0
TRIES = 3
STOP_TIMEOUT_S = 10.0


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """URL of a MiniStack that keeps its log in `folder` and ends with the block."""
    url, process = _started(folder)
    try:
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    """A MiniStack that answers. A free port may be somebody else's a moment later: then another is tried."""
    for _ in range(TRIES):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = _start(folder, port)
        url = f"http://127.0.0.1:{port}"
        if _healthy(f"{url}/_ministack/health", process):
            return url, process
        process.kill()
        process.wait()
    raise RuntimeError(f"MiniStack did not start: {(folder / 'log').read_text()[-500:]}")


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ministack_folder(Cache.current(), SilentProgress())),
        "PYTHONNOUSERSITE": "1",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        # As in the sandbox: no servers on all addresses, and no Docker where there is some.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder / 'no-docker.sock'}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    interpreter = str(getattr(sys, "_base_executable", "") or sys.executable)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [interpreter, "-m", "ministack"], cwd=folder, env=environment, stdout=log, stderr=log
        )


def _healthy(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether it answers before it ends or its time is over."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # an http URL made above
                return True
        except OSError:
            time.sleep(0.05)
    return False
