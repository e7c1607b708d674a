"""An OCI image layout: a folder of blobs named by their sha256, and an index of the images in it.

Written as the OCI image specification 1.1 says, so that other tools can read it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from rollbook.errors import BadInputError, EnvironmentFailedError, NotFoundError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
"""Not compressed: two versions of zlib may compress to different bytes, and digests would vary."""
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"

_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")


@dataclass(frozen=True)
class Blob:
    """A blob of an image: media type, digest (`sha256:...`), size in bytes, and its file in the layout."""

    media_type: str
    digest: str
    size: int
    path: Path

    def descriptor(self) -> dict[str, Any]:
        """The blob as a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def blob_path(layout: Path, digest: str) -> Path:
    """Where a blob is. BadInputError when `digest` is none."""
    if not _DIGEST.match(digest):
        raise BadInputError(f"{digest!r} is not an image digest", next_step="Give sha256: and 64 hex digits.")
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def add_blob(layout: Path, media_type: str, write: Callable[[IO[bytes]], None]) -> Blob:
    """Store what `write` writes under its digest; one that is there already is left alone."""
    folder = layout / "blobs" / "sha256"
    with _disk(layout):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".new-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
            with temporary.open("rb") as file:
                digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
            size = temporary.stat().st_size
            path = blob_path(layout, digest)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return Blob(media_type, digest, size, path)


def add_json(layout: Path, media_type: str, value: Mapping[str, Any]) -> Blob:
    """Store JSON: keys sorted, no blanks, so that equal values have equal digests."""
    content = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return add_blob(layout, media_type, lambda file: _write(file, content))


def add_image(layout: Path, image: Blob, *, reference: str, platform: Mapping[str, str]) -> None:
    """Enter an image into the index under `repository:tag`, replacing an older one of that name."""
    entry = {**image.descriptor(), "annotations": {REF_NAME: reference}, "platform": dict(platform)}
    with _disk(layout), FileLock(layout / ".index.lock"):
        entries = [old for old in index(layout) if (old.get("annotations") or {}).get(REF_NAME) != reference]
        _replace(layout / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}\n')
        document = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [*entries, entry]}
        _replace(layout / "index.json", (json.dumps(document, indent=2, sort_keys=True) + "\n").encode())


def index(layout: Path) -> Sequence[Mapping[str, Any]]:
    """The images of a layout as descriptors; none when there is no layout yet."""
    path = layout / "index.json"
    try:
        document = json.loads(path.read_bytes())
        return [entry for entry in document["manifests"] if isinstance(entry, dict)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentFailedError(
            f"the image index {path} cannot be read",
            why=str(error),
            next_step="Remove the layout's folder and build the images again.",
        ) from error


def manifest(layout: Path, digest: str) -> bytes:
    """The manifest of an image, byte for byte, verified.

    NotFoundError when the layout has no such image, BadInputError when its bytes do not match the digest.
    """
    if all(entry.get("digest") != digest for entry in index(layout)):
        blob_path(layout, digest)
        raise NotFoundError(
            f"there is no image {digest} in the layout {layout}",
            why="it was never built on this machine, or its layout was removed",
            next_step="Build it: `rollbook run --phase deploy`.",
        )
    return read_blob(layout, digest)


def blobs(layout: Path, digest: str) -> tuple[Blob, ...]:
    """The config and then the layers of an image, in order; a registry needs them before the manifest."""
    document = json.loads(manifest(layout, digest))
    return tuple(
        Blob(
            media_type=str(entry["mediaType"]),
            digest=str(entry["digest"]),
            size=int(entry["size"]),
            path=blob_path(layout, str(entry["digest"])),
        )
        for entry in (document["config"], *document["layers"])
    )


def read_blob(layout: Path, digest: str) -> bytes:
    """A blob's bytes, verified. NotFoundError when it is missing, BadInputError when it was changed."""
    path = blob_path(layout, digest)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"the image blob {digest} is missing",
            why=str(error),
            next_step="Remove the layout's folder and build the image again.",
        ) from error
    actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if actual != digest:
        raise BadInputError(
            f"the image blob {digest} was changed",
            why=f"its bytes have the digest {actual}",
            next_step="Remove the layout's folder and build the image again.",
        )
    return content


@contextmanager
def _disk(layout: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentFailedError(
            f"cannot write the image layout {layout}",
            why=error.strerror or str(error),
            next_step="Free some space, or make the folder writable, and build again.",
        ) from error


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def _write(file: IO[bytes], content: bytes) -> None:
    file.write(content)
