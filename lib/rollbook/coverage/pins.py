"""Pins: digests of what evidence is about, taken when a run begins, so that it is known when it is old."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from rollbook.coverage import registry
from rollbook.coverage.requirement import Requirement, Requirements
from rollbook.evidence.project import matches

SHOWN = 3
"""So many changed files are named in a sentence; the others are counted."""


@dataclass(frozen=True)
class Pins:
    """SHA-256 (hex) of each requirement's text by its id, of each check's code by its name, and of each file
    that implements a requirement, by id and path."""

    requirements: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    artefacts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def take(requirements: Requirements, files: Mapping[str, str]) -> Pins:
    """Pin requirements, all checks, and those of `files` (SHA-256 by path) that implement them."""
    rows = requirements.requirements
    return Pins(
        requirements={row.id: text_sha256(row) for row in rows},
        checks={name: registry.code_sha256(name) for name in registry.names()},
        artefacts={row.id: _implementing(row, files) for row in rows},
    )


def text_sha256(requirement: Requirement) -> str:
    """SHA-256 (hex) of what is asked for; how its lines are broken does not count."""
    return hashlib.sha256(" ".join(requirement.text.split()).encode()).hexdigest()


def _implementing(requirement: Requirement, files: Mapping[str, str]) -> dict[str, str]:
    found = {path: files[path] for path in requirement.artefacts if path in files}
    patterns = [pattern for pattern in requirement.artefacts if pattern not in files]
    if patterns:
        found |= {
            path: digest
            for path, digest in files.items()
            if any(matches(path, pattern) for pattern in patterns)
        }
    return dict(sorted(found.items()))


def changes(requirement: Requirement, then: Pins, now: Pins) -> tuple[str, ...]:
    """What of a requirement was changed since `then`, but its checks; each completes `since the run ...`."""
    pinned = then.requirements.get(requirement.id)
    if pinned is None:
        return ("the requirement itself was written",)
    told = []
    if pinned != now.requirements.get(requirement.id, pinned):
        told.append("its text was changed")
    before, after = then.artefacts.get(requirement.id, {}), now.artefacts.get(requirement.id, {})
    for word, paths in (
        ("changed", sorted(path for path in before if path in after and before[path] != after[path])),
        ("removed", sorted(set(before) - set(after))),
        ("added", sorted(set(after) - set(before))),
    ):
        if paths:
            more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
            verb = "was" if len(paths) == 1 else "were"
            told.append(f"{', '.join(paths[:SHOWN])}{more} {verb} {word}")
    return tuple(told)


def code_change(check: str, then: Pins, now: Pins) -> str:
    """What happened to a check's code since `then`; empty when nothing did."""
    if check not in then.checks:
        return f"the check {check} was written"
    if now.checks.get(check) != then.checks[check]:
        return f"the code of {check} was changed"
    return ""
