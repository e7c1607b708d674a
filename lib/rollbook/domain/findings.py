"""What a check of a preflight found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_CHECKED = "not checked"
    """Nothing is known. Never taken for ok."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `next_step` says how to mend it; empty where nothing has to be."""

    name: str
    state: State
    detail: str
    next_step: str = ""


def judged(name: str, state: State, detail: str, next_step: str) -> Finding:
    """A finding whose next step is told only where there is something to mend."""
    return Finding(name, state, detail, "" if state is State.OK else next_step)


def not_checked(name: str, why: str, next_step: str = "") -> Finding:
    """Nothing is known, and why."""
    return Finding(name, State.NOT_CHECKED, why, next_step)
