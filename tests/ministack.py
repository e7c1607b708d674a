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

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """URL of a MiniStack that keeps its log in `folder` and ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
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
        process = subprocess.Popen(
            [interpreter, "-m", "ministack"], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        _wait_healthy(f"{url}/_ministack/health", process, folder / "log")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310  # an http URL made above
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"MiniStack did not start: {log.read_text()[-500:]}")
