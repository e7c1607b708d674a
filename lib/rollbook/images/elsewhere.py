"""Images that somebody else builds and keeps: a target without a registry of rollbook's own."""
# ruff: noqa: ARG002  # the ports have these arguments

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rollbook.domain.release import Component, Image
from rollbook.errors import BadInputError
from rollbook.ports import Identity

_NEXT = "Build and push the image first (ci/image.sh does), and give its digest: --set digest=sha256:..."


class BuiltElsewhere:
    """Stands where images are built, on targets whose nodes could not run what this machine builds."""

    def build(
        self,
        *,
        context: Path,
        dockerfile: Path,
        repository: str,
        version: str,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> NoReturn:
        """BadInputError: there is nothing to build with."""
        raise BadInputError(
            f"{repository} has to be built elsewhere",
            why="rollbook builds images for the sandbox only",
            next_step=_NEXT,
        )


class KeptElsewhere:
    """Stands for the cloud, on clusters that are not known to be of one: nothing is made, and nothing asked.

    `registry` stands before a repository's name (`registry.example.com/team`).
    """

    def __init__(self, registry: str) -> None:
        self._registry = registry

    def components(self) -> tuple[Component, ...]:
        """None: there is nothing that could be asked."""
        return ()

    def identity(self) -> Identity | None:
        """None: there is no account."""
        return None

    def ensure_repository(self, name: str) -> str:
        """Where the image is. BadInputError when no registry is known."""
        if not self._registry:
            raise BadInputError(
                "nobody knows where this cluster's images are",
                why="the service file names no registry for the target",
                next_step="Add `registry:` under `addresses: kubeconfig:` in the service file.",
            )
        return f"{self._registry}/{name}"

    def find_repository(self, name: str) -> str | None:
        """The same; whether it exists is not asked."""
        return self.ensure_repository(name)

    def ensure_secret(self, name: str, create: Callable[[], str]) -> str:
        """Empty: the cluster's own people give the service its secret."""
        return ""

    def secret_version(self, name: str) -> str | None:
        """None: there is no Secrets Manager that could be asked."""
        return None

    def push(self, layout: Path, image: Image) -> NoReturn:
        """BadInputError: rollbook has no login to that registry."""
        raise BadInputError(
            f"{image.repository} has to be pushed elsewhere",
            why="rollbook pushes to ECR only",
            next_step=_NEXT,
        )

    def image_digest(self, repository: str, tag: str) -> str | None:
        """None: it is not asked."""
        return None

    def has_digest(self, repository: str, digest: str) -> bool | None:
        """None: it is not asked."""
        return None

    def delete_repository(self, name: str) -> bool:
        """False: it stays."""
        return False

    def delete_secret(self, name: str) -> bool:
        """False: it stays."""
        return False
