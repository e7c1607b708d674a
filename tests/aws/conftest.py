"""A MiniStack of the tests' own, and an image layout to push."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollbook.aws.cloud import AwsCloud
from rollbook.domain.release import Image
from rollbook.sandbox import toolchain
from rollbook.sandbox.home import Cache
from rollbook.sandbox.progress import SilentProgress

START_TIMEOUT_S = 30.0


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a MiniStack that runs for these tests only."""
    folder = toolchain.ministack_folder(Cache.current(), SilentProgress())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    work = tmp_path_factory.mktemp("ministack")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(work),
        "PYTHONPATH": str(folder),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        # As in the sandbox: these two listen on all addresses, and k3s in Docker is not what is tested.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{work / 'no-docker.sock'}",
    }
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(
            [getattr(sys, "_base_executable", sys.executable), "-m", "ministack"],
            cwd=work,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_healthy(f"{url}/_ministack/health", process, work / "log")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def cloud(ministack: str) -> AwsCloud:
    """The adapter, in front of the emulator."""
    return AwsCloud.emulated(ministack)


def make_layout(folder: Path, *, payload: bytes, tag: str) -> tuple[Path, Image]:
    """An image layout with one layer, and the image that it holds (in the repository `hello`)."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def add(content: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": add(b'{"architecture":"amd64","os":"linux"}', "application/vnd.oci.image.config.v1+json"),
        "layers": [add(payload, "application/vnd.oci.image.layer.v1.tar")],
    }
    written = add(json.dumps(manifest).encode(), manifest["mediaType"])  # type: ignore[arg-type]  # a str above
    return folder, Image("hello", tag, str(written["digest"]), len(payload))


def _wait_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310  # an http URL made above
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"MiniStack did not start: {log.read_text()[-500:]}")
