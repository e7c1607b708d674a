"""An image layout to push."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from rollbook.domain.release import Image


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
