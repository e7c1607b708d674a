"""Makes an image ready to run: verified, and unpacked once for all pods that share it.

`manifest` and `blobs` are here too, for whoever pushes an image to a registry.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.images.layout import LAYER_TYPE, Blob, blobs, manifest, read_blob

__all__ = ["Blob", "UnpackedImage", "blobs", "manifest", "unpack"]

_COMPILE_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class UnpackedImage:
    """An image on disk: its root folder, shared by all pods that run it, and what its config says."""

    rootfs: Path
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    env: Mapping[str, str]
    workdir: str
    user: str
    exposed_ports: tuple[int, ...]
    digest: str


def unpack(layout: Path, digest: str, cache: Path) -> UnpackedImage:
    """Unpack an image of an OCI layout below `cache`, or find it unpacked.

    Every blob that is used is verified. Layers are unpacked once and shared by the images that have them;
    their Python modules are byte-compiled then, so that pods start fast and write nothing into the image.
    Safe to call from several processes. NotFoundError when the layout has no such image, BadInputError
    when a blob was changed or a layer holds what must not be unpacked. Blocks while it works: up to a few
    seconds for new packages, milliseconds after that.
    """
    document = json.loads(manifest(layout, digest))
    config = json.loads(read_blob(layout, document["config"]["digest"]))
    rootfs = cache / "rootfs" / digest.removeprefix("sha256:")
    if not rootfs.is_dir():
        _assemble(layout, document, cache, rootfs)
    return _image(config, rootfs, digest)


def _assemble(layout: Path, document: Mapping[str, Any], cache: Path, rootfs: Path) -> None:
    try:
        rootfs.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(rootfs.with_suffix(".lock")):
            if rootfs.is_dir():
                return
            with tempfile.TemporaryDirectory(dir=rootfs.parent, prefix=".new-") as name:
                work = Path(name) / "rootfs"
                work.mkdir(mode=0o755)
                for entry in document["layers"]:
                    shutil.copytree(_layer(layout, entry, cache), work, symlinks=True, dirs_exist_ok=True)
                work.rename(rootfs)
    except OSError as error:
        raise EnvironmentFailedError(
            "an image cannot be unpacked",
            why=error.strerror or str(error),
            next_step=f"Free some space in {cache}.",
        ) from error


def _layer(layout: Path, entry: Mapping[str, Any], cache: Path) -> Path:
    """The folder of one layer's files."""
    digest = str(entry["digest"])
    if entry["mediaType"] != LAYER_TYPE:
        raise BadInputError(
            f"the image layer {digest} cannot be unpacked",
            why=f"its media type {entry['mediaType']} is not {LAYER_TYPE}",
            next_step="Build the image with rollbook.",
        )
    folder = cache / "layers" / digest.removeprefix("sha256:")
    if folder.is_dir():
        return folder
    content = read_blob(layout, digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as name:
                work = Path(name) / "layer"
                work.mkdir(mode=0o755)
                try:
                    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                        archive.extractall(work, filter="data")
                except tarfile.TarError as error:
                    raise BadInputError(
                        f"the image layer {digest} must not be unpacked",
                        why=str(error),
                        next_step="Build the image with rollbook.",
                    ) from error
                _compile(work)
                work.rename(folder)
    return folder


def _compile(folder: Path) -> None:
    """Byte-compile the Python modules of a folder with this Python, which is the one that runs pods.

    The byte code is named by the source's content, not its time, since all files of an image have time 0.
    A module that does not compile is left alone: it may be a template, and Python will tell if it is not.
    """
    if not any(folder.rglob("*.py")):
        return
    # A process of its own: the compiler's memory must not stay with the node agent.
    command = [sys.executable, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash"]
    subprocess.run(
        [*command, "-s", str(folder), "-p", "/", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_COMPILE_TIMEOUT_S,
        check=False,
    )


def _image(config: Mapping[str, Any], rootfs: Path, digest: str) -> UnpackedImage:
    settings = config.get("config") or {}
    return UnpackedImage(
        rootfs=rootfs,
        entrypoint=tuple(settings.get("Entrypoint") or ()),
        cmd=tuple(settings.get("Cmd") or ()),
        env=dict(pair.split("=", 1) for pair in settings.get("Env") or ()),
        workdir=str(settings.get("WorkingDir") or "/"),
        user=str(settings.get("User") or ""),
        exposed_ports=tuple(
            sorted(int(port.partition("/")[0]) for port in settings.get("ExposedPorts") or {})
        ),
        digest=digest,
    )
