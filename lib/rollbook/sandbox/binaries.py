"""A finished build: where its binaries are, and of which versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rollbook.sandbox.home import Cache
from rollbook.sandbox.recipe import recipe


@dataclass(frozen=True)
class Binaries:
    """A finished build."""

    folder: Path
    key: str
    versions: Mapping[str, str]

    def path(self, name: str) -> Path:
        """One binary by its file name."""
        return self.folder / "bin" / name

    @property
    def manifests(self) -> Path:
        """CustomResourceDefinitions and roles of Argo Rollouts and Traefik, as one JSON list."""
        return self.folder / "manifests.json"


def cached_binaries(cache: Cache) -> Binaries | None:
    """The finished build of the current recipe, None when this machine has not made it yet."""
    current = recipe()
    folder = cache.binaries / current.key
    return Binaries(folder, current.key, current.versions()) if folder.is_dir() else None
