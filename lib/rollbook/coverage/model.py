"""What coverage says of each requirement, and by which evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rollbook.coverage.requirement import Requirement


class State(StrEnum):
    """How far a requirement is proved by the evidence of one run."""

    PROVED = "proved"
    """Every check of it holds, by evidence of this run."""
    FAILED = "failed"
    """A check does not hold: the evidence says otherwise."""
    NO_DATA = "no-data"
    """What should be there to judge by is missing, or cannot be read."""
    STALE = "stale"
    """The requirement's text, a check's code or an artefact was changed since the evidence was taken."""
    NOT_EXERCISED = "not-exercised"
    """This run did nothing that could prove it."""
    DEFERRED = "deferred"
    """A person put it off, and said why."""
    SKIPPED = "skipped"
    """A person left it out, and said why."""


class Delivery(StrEnum):
    """The plan's own three words for what became of a requirement (step 6).

    `assess.delivery_of` says which state becomes which word.
    """

    IMPLEMENTED = "implemented"
    """Proved by evidence of this run, and by nothing that only stands in for the real thing."""
    STUBBED = "stubbed"
    """Something stands in its place or is there without proof: an emulation, files that nothing exercised."""
    SKIPPED = "skipped"
    """Nothing of it is there."""


@dataclass(frozen=True)
class EvidenceRef:
    """A file of the bundle that an answer rests on: its path in the run's folder, its SHA-256 (hex) as it is
    now, and what it shows, in a few words."""

    path: str
    sha256: str
    what: str


@dataclass(frozen=True)
class Finding:
    """The answer of one check. `sentence` says what was found, with its figures; never empty.

    `evidence` is never empty when the state is `proved` or `failed`.
    """

    check: str
    arguments: Mapping[str, Any]
    state: State
    sentence: str
    evidence: tuple[EvidenceRef, ...] = ()
    emulated: bool = False
    """Whether what answered only stands in for the real system, such as an emulated AWS."""


@dataclass(frozen=True)
class Result:
    """A requirement and what became of it: the worst of its findings, or a person's decision."""

    requirement: Requirement
    state: State
    delivery: Delivery
    sentence: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """All requirements, in the order of the file, and how many are in each state."""

    results: tuple[Result, ...]
    run_id: str = ""
    notes: tuple[str, ...] = ()
    """Sentences about all of it, such as that there was no checkout to compare the run with."""

    def count(self, state: State) -> int:
        """How many requirements are in that state."""
        return sum(result.state is state for result in self.results)

    def delivered(self, delivery: Delivery) -> int:
        """How many requirements became that."""
        return sum(result.delivery is delivery for result in self.results)
