"""Many canaries, one line a rule: false alarms, misses, time to detect, users hit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from rollbook.replay.course import ABORT, PAUSE, Course
from rollbook.replay.rules import HAPPENED, Decision


class Outcome(StrEnum):
    """What a decision is worth, given what was released."""

    DETECTED = "detected"
    MISSED = "missed"
    FALSE_ALARM = "false alarm"
    LET_GO = "let go on"
    HELD = "held"
    """The rule would have paused the Rollout for a person: inconclusive too often."""
    UNKNOWN = "not known"
    """Somebody else ended the canary before the rule had decided."""


@dataclass(frozen=True)
class Replayed:
    """One canary with what each rule would have decided over it."""

    course: Course
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class RuleSummary:
    """One rule over many canaries, of which it is known whether they were faulty.

    `median_s` is the median of the time to detect over faulty canaries, in seconds since users first met the
    new version; those that it missed, held, or did not get to the end of, count as longer than any. None when
    the median is one of those, or there was no faulty canary. `failed` and `answers` are requests that faulty
    versions failed, and answered, until it had decided.
    """

    rule: str
    good: int = 0
    false_alarms: int = 0
    faulty: int = 0
    detected: int = 0
    missed: int = 0
    held: int = 0
    unknown: int = 0
    median_s: float | None = None
    failed: int = 0
    answers: int = 0


def outcome(course: Course, decision: Decision) -> Outcome | None:
    """What a decision is worth; None where it is not known whether the canary was faulty."""
    if course.faulty is None:
        return None
    if decision.does == PAUSE:
        return Outcome.HELD
    if decision.does == ABORT:
        return Outcome.DETECTED if course.faulty else Outcome.FALSE_ALARM
    if decision.kind != HAPPENED and course.happened.decision == ABORT:
        return Outcome.UNKNOWN
    return Outcome.MISSED if course.faulty else Outcome.LET_GO


def summarise(replayed: Sequence[Replayed], order: Sequence[str] = ()) -> tuple[RuleSummary, ...]:
    """One summary a rule: those of `order` first, others as they occur; what has no decision is left out."""
    by_rule: dict[str, list[tuple[Course, Decision, Outcome]]] = {rule: [] for rule in order}
    for one in replayed:
        for decision in one.decisions:
            worth = outcome(one.course, decision)
            if worth is not None:
                by_rule.setdefault(decision.rule, []).append((one.course, decision, worth))
    return tuple(_summary(rule, found) for rule, found in by_rule.items() if found)


def _summary(rule: str, found: Sequence[tuple[Course, Decision, Outcome]]) -> RuleSummary:
    worths = [worth for _, _, worth in found]
    faulty = [(decision, worth) for course, decision, worth in found if course.faulty]
    moments = [
        decision.after_s if worth is Outcome.DETECTED and decision.after_s is not None else math.inf
        for decision, worth in faulty
    ]
    middle = median(moments) if moments else math.inf
    return RuleSummary(
        rule=rule,
        good=len(found) - len(faulty),
        false_alarms=worths.count(Outcome.FALSE_ALARM),
        faulty=len(faulty),
        detected=worths.count(Outcome.DETECTED),
        missed=worths.count(Outcome.MISSED),
        held=worths.count(Outcome.HELD),
        unknown=worths.count(Outcome.UNKNOWN),
        median_s=middle if math.isfinite(middle) else None,
        failed=sum(decision.failed for decision, _ in faulty),
        answers=sum(decision.answers for decision, _ in faulty),
    )
