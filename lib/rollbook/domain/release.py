"""A release: a version, its image, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Image:
    """A built image. `digest` is that of the manifest (`sha256:...`); `reference` is what a pod names."""

    repository: str
    """Repository URI, without tag and digest."""
    tag: str
    digest: str
    size_bytes: int | None
    """Of all its layers as they are stored; None for one that was not built here."""

    @property
    def reference(self) -> str:
        """`repository@digest`: the only form that pods use."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True)
class Component:
    """One part of the environment, as it was found: name, version, whether it is healthy, and a remark."""

    name: str
    version: str
    healthy: bool
    detail: str = ""
    emulated: bool = False


class Verdict(StrEnum):
    """How a rollout ended."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    PAUSED = "paused"
    TIMED_OUT = "timed-out"
