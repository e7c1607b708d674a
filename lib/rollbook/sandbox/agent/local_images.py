from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import EnvironmentFailedError, RollbookError
from rollbook.images.store import UnpackedImage, unpack

_PINNED = re.compile(r"(?P<repository>[^@\s]+?)(:[\w][\w.-]*)?@(?P<digest>sha256:[0-9a-f]{64})")


class ImageError(EnvironmentFailedError):
    """An image cannot be had. `reason` is the kubelet's word for it."""

    def __init__(self, reason: str, what: str, *, why: str = "") -> None:
        super().__init__(what, why=why)
        self.reason = reason


@dataclass(frozen=True)
class LocalImage:
    """An image ready to run; `image_id` is `repository@digest`.

    `seconds` is how long it took to unpack, 0 when it was there.
    """

    unpacked: UnpackedImage
    image_id: str
    seconds: float


class LocalImages:
    """Images of the sandbox's OCI layout, unpacked once and shared by all pods that run them."""

    def __init__(self, layout: Path, cache: Path) -> None:
        self._layout = layout
        self._cache = cache
        self._ready: dict[str, UnpackedImage] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def fetch(self, image: str) -> LocalImage:
        """The image, unpacked if it was not yet. ImageError when it is not in the layout or not pinned."""
        match = _PINNED.fullmatch(image)
        if match is None:
            raise ImageError(
                "ErrImagePull",
                f"image {image!r} is not pinned by digest",
                why="the sandbox runs images of its own layout only, named as repository@sha256:...",
            )
        digest = match["digest"]
        image_id = f"{match['repository']}@{digest}"
        known = self._ready.get(digest)
        if known is not None and known.rootfs.is_dir():
            return LocalImage(known, image_id, 0.0)
        async with self._locks.setdefault(digest, asyncio.Lock()):
            begun = time.monotonic()
            try:
                self._ready[digest] = await asyncio.to_thread(unpack, self._layout, digest, self._cache)
            except (RollbookError, OSError) as error:
                raise ImageError(
                    "ErrImagePull", f"image {image!r} cannot be unpacked", why=str(error)
                ) from error
            return LocalImage(self._ready[digest], image_id, time.monotonic() - begun)
