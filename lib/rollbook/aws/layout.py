"""Reads one image out of an OCI image layout: its manifest's exact bytes, and the blobs that it names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import BadInputError


@dataclass(frozen=True)
class Blob:
    """A blob that a manifest names: digest (`sha256:...`), bytes, and where it is."""

    digest: str
    size: int
    path: Path


@dataclass(frozen=True)
class ManifestFile:
    """An image manifest: its exact bytes, media type, and blobs, smallest first."""

    content: bytes
    media_type: str
    blobs: tuple[Blob, ...]


def read_manifest(layout: Path, digest: str) -> ManifestFile:
    """Read the manifest of that digest. BadInputError when it or a blob is missing or altered."""
    content = _read(layout, digest)
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise _broken(layout, f"the content of {digest} is not what its digest says")
    try:
        manifest = json.loads(content)
        blobs = [
            Blob(str(one["digest"]), int(one["size"]), _path(layout, str(one["digest"])))
            for one in (manifest["config"], *manifest["layers"])
        ]
        media_type = str(manifest["mediaType"])
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(layout, f"{digest} is not an image manifest") from error
    for blob in blobs:
        if not blob.path.is_file() or blob.path.stat().st_size != blob.size:
            raise _broken(layout, f"the blob {blob.digest} is missing or cut")
    unique = {blob.digest: blob for blob in blobs}
    return ManifestFile(content, media_type, tuple(sorted(unique.values(), key=lambda blob: blob.size)))


def _read(layout: Path, digest: str) -> bytes:
    try:
        return _path(layout, digest).read_bytes()
    except OSError as error:
        raise _broken(layout, f"the manifest {digest} is not in it") from error


def _path(layout: Path, digest: str) -> Path:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise _broken(layout, f"{digest!r} is not a digest")
    return layout / "blobs" / algorithm / value


def _broken(layout: Path, why: str) -> BadInputError:
    return BadInputError(
        f"the image layout {layout} cannot be pushed", why=why, next_step="Build the image again."
    )
