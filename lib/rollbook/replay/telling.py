"""What was replayed, told to people at a terminal, and to programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rollbook.replay.course import ABORT, PAUSE, PROMOTE, Course
from rollbook.replay.policy import Policy
from rollbook.replay.rules import HAPPENED, WHAT_HAPPENED, Decision
from rollbook.replay.summary import Outcome, Replayed, RuleSummary, outcome, summarise
from rollbook.report import formats
from rollbook.report.texts import short

SCHEMA = 1
TEXT = 400
"""Characters of a sentence where it is shown."""
DID = {ABORT: "aborted", PROMOTE: "promoted", PAUSE: "paused", "": "nothing"}
WOULD = {ABORT: "abort", PAUSE: "pause", "": "go on"}
TONES = {
    Outcome.DETECTED: "green",
    Outcome.MISSED: "red",
    Outcome.FALSE_ALARM: "red",
    Outcome.HELD: "yellow",
    Outcome.UNKNOWN: "dim",
}
COUNTED = (
    "Seconds are counted from the first answer that users had of the new version. Answers, and failed ones, "
    "are those of the new version up to the decision; what is in flight at an abort comes on top."
)
NOT_KNOWN = (
    "Not known: somebody else ended the canary before the rule had decided; what it would have cost is more "
    "than is counted. Held: paused, since too many measurements were inconclusive."
)


def to_json(
    policy: Policy, replayed: Sequence[Replayed], notes: Sequence[str], *, runs: int, prometheus: bool = False
) -> str:
    """One object: the policy, each canary with its decisions, the table of rules over all of them, notes."""
    told = {
        "schema": SCHEMA,
        "source": "prometheus" if prometheus else "runs",
        "runs": runs,
        "policy": policy.model_dump(mode="json"),
        "canaries": [_canary(one) for one in replayed],
        "rules": [asdict(one) for one in summarise(replayed, order(policy))],
        "notes": list(notes),
    }
    return json.dumps(told, indent=2, allow_nan=False)


def order(policy: Policy) -> tuple[str, ...]:
    """Rules in the order in which they are told."""
    return WHAT_HAPPENED, *policy.names


def _canary(one: Replayed) -> dict[str, Any]:
    course = one.course
    answers, _, failed = course.canary.until(course.ends_s).tolist()
    return {
        "run": course.run,
        "phase": course.phase,
        "stable": course.stable_version,
        "canary": course.canary_version,
        "fault": course.fault or None,
        "faulty": course.faulty,
        "began": course.began_s,
        "known_s": course.ends_s,
        "answers": int(answers),
        "failed": int(failed),
        "happened": asdict(course.happened),
        "recorded_rule": None if course.recorded is None else asdict(course.recorded),
        "decisions": [
            {**asdict(decision), "outcome": outcome(course, decision)} for decision in one.decisions
        ],
    }


def to_terminal(
    policy: Policy, replayed: Sequence[Replayed], notes: Sequence[str], console: Console, *, summary: bool
) -> None:
    """Print each canary, or with `summary` one table of all of them."""
    if summary:
        console.print(_summary(summarise(replayed, order(policy)), len(replayed)))
    else:
        for one in replayed:
            _one(one, console)
    if summary:
        console.print()
    for note in notes:
        console.print(Text(short(note, TEXT), style="yellow"))
    for rule in (COUNTED, NOT_KNOWN) if replayed else ():
        console.print(Text(rule, style="dim"))


def _one(one: Replayed, console: Console) -> None:
    course = one.course
    told = f"{course.run}, {course.phase}: {course.canary_version} over {course.stable_version}"
    what = (
        ""
        if course.faulty is None
        else f", faulty on purpose ({course.fault})"
        if course.faulty
        else ", good"
    )
    console.print(Text(short(told + what, TEXT), style="bold"))
    table = Table(box=None, pad_edge=False)
    for heading in ("rule", "decision", "after", "weight", "answers", "failed", "", "why"):
        right = heading in {"after", "answers", "failed"}
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for decision in one.decisions:
        worth = outcome(course, decision)
        why = decision.why
        if decision.safe_s is not None:
            why = f"first safe after {decision.safe_s:g} s; {why}"
        table.add_row(
            Text(short(decision.rule)),
            Text((DID if decision.kind == HAPPENED else WOULD)[decision.does]),
            Text("" if decision.after_s is None else f"{decision.after_s:.1f} s"),
            Text("" if decision.weight is None else formats.weight(decision.weight)),
            Text(formats.count(decision.answers)),
            Text(formats.count(decision.failed)),
            Text("" if worth is None else worth.value, style=TONES.get(worth, "") if worth else ""),
            Text(short(why, TEXT), style="dim"),
        )
    console.print(table)
    compared = _compared(course, one.decisions)
    if compared:
        console.print(Text(compared))
    console.print()


def _compared(course: Course, decisions: Sequence[Decision]) -> str:
    """What an abort that really happened cost, against the rule that would have cost least."""
    real = next((one for one in decisions if one.kind == HAPPENED), None)
    found = [one for one in decisions if one.kind != HAPPENED and one.does == ABORT]
    if not course.faulty or real is None or real.does != ABORT or not found:
        return ""
    best = min(found, key=lambda one: (one.failed, one.after_s or 0.0))
    if best.failed >= real.failed:
        return ""
    return (
        f"{formats.counted(real.failed, 'request')} of the new version failed until it was aborted; "
        f"{formats.count(best.failed)} until the rule {short(best.rule)!r} would have."
    )


def _summary(rules: Sequence[RuleSummary], canaries: int) -> Table:
    table = Table(
        title=f"{formats.counted(canaries, 'canary', 'canaries')}",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    table.add_column("rule", overflow="fold")
    for heading in ("false alarms", "detected", "missed", "held", "not known", "median", "failed", "answers"):
        table.add_column(heading, justify="right")
    for one in rules:
        table.add_row(
            Text(short(one.rule)),
            Text(f"{one.false_alarms} of {one.good}"),
            Text(f"{one.detected} of {one.faulty}"),
            *(Text(str(number)) for number in (one.missed, one.held, one.unknown)),
            Text("" if one.median_s is None else f"{one.median_s:.1f} s"),
            *(
                Text(f"{'at least ' * bool(one.unknown)}{formats.count(n)}")
                for n in (one.failed, one.answers)
            ),
        )
    return table
