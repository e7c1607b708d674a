"""A requirement as `docs/requirements.yaml` has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Whether the plan says it, implies it, or would like it."""

    EXPLICIT = "explicit"
    IMPLICIT = "implicit"
    BONUS = "bonus"


@dataclass(frozen=True)
class CheckCall:
    """A check by its registered name, with its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """A person's decision to put a requirement off or to leave it out. `state`: `deferred` or `skipped`."""

    state: str
    why: str
    instead: str = ""
    """What stands in its place, if anything does."""


@dataclass(frozen=True)
class Requirement:
    """One thing that was asked for. `id` is never used again for another one."""

    id: str
    text: str
    kind: Kind
    step: str
    """Step of the plan: `0`, `1A` ... `7`."""
    layer: str
    """Layer of the plan: `must-have`, `strategic-core`, `high-signal`, `flair`, or `process`."""
    source: str
    """Line or lines of the plan, such as `L57` or `L57-L60`."""
    implications: tuple[str, ...]
    """What it means for the design."""
    via: str
    """What implements it: `X was implemented via Y`."""
    checks: tuple[CheckCall, ...] = ()
    artefacts: tuple[str, ...] = ()
    """Files of the project that implement it, as glob patterns from its root; changed, they make it stale."""
    decision: Decision | None = None
    line: int = 0
    """Where it stands in `docs/requirements.yaml`; 0 when it came from elsewhere."""


@dataclass(frozen=True)
class Contradiction:
    """Requirements that pull in different directions, and the stance that was taken."""

    id: str
    title: str
    between: tuple[str, ...]
    tension: str
    stance: str
    decision_record: str = ""
    """Path of the ADR, from the project's root."""


@dataclass(frozen=True)
class Requirements:
    """The whole file. `retired` holds ids that were once used, so that nobody uses them again."""

    source: str
    """Title of the document that they are taken from, and its SHA-256 (hex)."""
    requirements: tuple[Requirement, ...]
    contradictions: tuple[Contradiction, ...]
    retired: tuple[str, ...] = ()
    lines: int = 0
    """How many lines the document has; 0 when that is not known."""
    silent: tuple[str, ...] = ()
    """Lines of it that ask for nothing, such as `L4-L6`."""
