"""What a target has besides what Terraform knows of: add-ons of the cluster, and what is left over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AddOnRelease:
    """An add-on as it was installed; `status` is Helm's word, `app` the version of what it runs."""

    name: str
    namespace: str
    chart: str
    version: str
    app: str
    status: str


@dataclass(frozen=True)
class Leftovers:
    """What controllers had made behind Terraform's back: removed, or left alone with a reason."""

    removed: tuple[str, ...]
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sweep:
    """What a search of the account found of an installation; `asked` are the kinds that were looked for."""

    left: tuple[str, ...]
    asked: tuple[str, ...]
    emulated: bool = False

    @property
    def clean(self) -> bool:
        """Whether nothing is left."""
        return not self.left
