"""The hello service as a real process, run from its unpacked image as a pod would run it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from rollbook.images.build import OciImageBuilder
from rollbook.images.store import UnpackedImage, unpack

ROOT = Path(__file__).parents[2]

# The service is no part of the package: its modules are found where they are.
sys.path.insert(0, str(ROOT / "app"))


@dataclass(frozen=True)
class Running:
    """A service under way."""

    url: str
    process: subprocess.Popen[str]

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        """One request on a connection of its own."""
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=10)


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> UnpackedImage:
    """The service's image; its packages are kept between runs of the tests."""
    cache = Path(request.config.cache.mkdir("images"))
    layout = tmp_path_factory.mktemp("layout")
    built, _ = OciImageBuilder(layout, cache).build(
        context=ROOT / "app", dockerfile=ROOT / "app" / "Dockerfile", repository="hello", version="9.8.7"
    )
    return unpack(layout, built.digest, cache)


@pytest.fixture
def start(image: UnpackedImage) -> Iterator[Callable[..., Running]]:
    """Starts the service with more environment, and waits until it answers unless told not to."""
    with ExitStack() as stack:

        def run(*, wait: bool = True, **environment: str) -> Running:
            port = _free_port()
            process = subprocess.Popen(
                [sys.executable, *image.entrypoint[1:]],
                cwd=f"{image.rootfs}{image.workdir}",
                env={
                    **image.env,
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": f"{image.rootfs}{image.env['PYTHONPATH']}",
                    "PORT": str(port),
                    "APP_POD": "pod-1",
                    **environment,
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(_end, process)
            running = Running(f"http://127.0.0.1:{port}", process)
            deadline = time.monotonic() + 90
            while wait:
                try:
                    running.get("/healthz")
                    break
                except httpx.TransportError:
                    assert process.poll() is None, process.communicate()
                    assert time.monotonic() < deadline, "the service does not answer"
                    time.sleep(0.02)
            return running

        yield run


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
