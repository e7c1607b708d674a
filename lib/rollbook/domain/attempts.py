"""Trying what a cluster has to refuse, without doing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

NAME = "rollbook-attempt"
"""How the names of objects begin that are tried; none is ever stored."""
CONTROL = "as released"
"""The attempt in which nothing is forbidden: it has to be taken."""
AS = "as"
"""Parameter of a request's record that names the user in whose name was asked."""
SECRETS = "secrets"


def object_name(attempt: str) -> str:
    """Name of the object that tries something: that of `no limits` is `rollbook-attempt-no-limits`."""
    return f"{NAME}-{attempt.lower().replace(' ', '-')}"


@dataclass(frozen=True)
class Refusal:
    """A cluster's no: its HTTP status, and its own words."""

    code: int
    message: str


class Attempts(Protocol):
    """Asks a cluster for what it should refuse. Nothing is made, whatever the answer is."""

    @property
    def controller(self) -> str:
        """The user that the release controller is to the cluster; empty where it is not rollbook's to say."""

    def create(self, manifest: Mapping[str, Any]) -> Refusal | None:
        """Ask to create an object, as a dry run; None when it would have been made."""

    def list_secrets(self, user: str, namespace: str) -> Refusal | None:
        """Ask, as another user, for the Secrets of a namespace (empty: of all); None when they are given."""
