"""A drill's end: measure what came of it, hold that against what it stated, and leave the service as it was.

found = measure(ctx, drill, outcome)
rows = held_against(ctx, drill, found)
leave(ctx, outcome, rows)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rollbook.domain.accounting import DrillFigures, failures_by_cause
from rollbook.domain.drill import GATE, Drill, EndedBy, Measured, Row
from rollbook.domain.judging import LOOK
from rollbook.domain.release import Verdict
from rollbook.domain.traffic import RequestRecord
from rollbook.drills.expectations import expectations
from rollbook.errors import BadInputError, GateRefusedError
from rollbook.evidence.journal import Kind
from rollbook.evidence.resting import EVIDENCE
from rollbook.phases.canary import CanaryOutcome
from rollbook.phases.context import PhaseContext
from rollbook.phases.deploy import install
from rollbook.phases.drill_alerts import others_received, wait_for_alerts
from rollbook.phases.images import build_and_push
from rollbook.phases.manifests import Release
from rollbook.phases.users import UserAccount
from rollbook.settings import drills_file


def named(ctx: PhaseContext, name: str, *, fault: str) -> Drill:
    """The drill of that name, which releases `fault`. BadInputError when the service has none of it."""
    path = ctx.service.drills
    drills = drills_file.load(path) if path else ()
    found = next((one for one in drills if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in drills) or "none"
        raise BadInputError(f"{ctx.service.source.name} names no drill {name!r}", why=f"it has: {known}")
    if found.fault != fault:
        raise BadInputError(
            f"the drill {name} releases {found.fault or 'no fault'}, and fault is {fault or 'not set'}",
            next_step=f"rollbook drill {name} sets all that it needs.",
        )
    return found


def measure(ctx: PhaseContext, drill: Drill, outcome: CanaryOutcome, told: UserAccount) -> Measured:
    """What came of the canary on the users' side, and whom it was told; waits for the drill's alerts."""
    promoted = outcome.verdict is Verdict.PROMOTED
    aborted = outcome.decided_at.timestamp()
    answers = [one for one in outcome.records if one.version == outcome.planned.version]
    return Measured(
        end=outcome.verdict.value,
        ended_by=None if promoted else ended_by(outcome),
        sent=told.sent,
        failed=told.failed,
        failed_by_stable=told.failed_by_stable,
        by_cause={cause.value: count for cause, count in failures_by_cause(outcome.records).items()},
        served=len(answers),
        time_to_detect_s=_time_to_detect(told.drill, answers, aborted),
        time_to_roll_back_s=told.drill.time_to_roll_back_s if told.drill else None,
        longest_in_flight_s=_longest_in_flight(answers, aborted),
        judged=_verdicts(ctx),
        alerts=wait_for_alerts(ctx, drill.must.alerts, outcome),
        others=others_received(ctx, outcome.started_at, drill.must.alerts),
    )


def held_against(ctx: PhaseContext, drill: Drill, found: Measured, outcome: CanaryOutcome) -> tuple[Row, ...]:
    """Each thing that the drill stated, as a gate of the journal with what it rests on."""
    rows = expectations(drill, found)
    log = ctx.folder.traffic_log(ctx.phase).relative_to(ctx.folder.path).as_posix()
    asked = [*outcome.evidence, *(one for alert in found.alerts for one in alert.evidence)]
    for row in rows:
        ctx.journal.append(
            Kind.GATE,
            f"{GATE}: {row.name}",
            {
                "passed": row.passed,
                "expected": row.wanted,
                "got": row.got,
                "sentence": f"{row.name}: {row.got}; it must be {row.wanted}",
                "files": [log],
                **({EVIDENCE: asked} if asked else {}),
            },
        )
    return rows


def leave(ctx: PhaseContext, outcome: CanaryOutcome, rows: Sequence[Row]) -> None:
    """Leave the earlier version stable where a faulty one got through. GateRefusedError names the rows that
    do not hold."""
    planned = outcome.planned
    if planned.fault and outcome.verdict is Verdict.PROMOTED:
        ctx.say(f"{planned.version} got through: {planned.stable_version} is put back")
        image = build_and_push(ctx, planned.stable_version)
        install(ctx, Release(planned.stable_version, image), timeout_s=120.0)
    refused = [row for row in rows if not row.passed]
    if refused:
        raise GateRefusedError(
            "; ".join(f"{row.name}: {row.got}, and not {row.wanted}" for row in refused),
            why="the drill did not end as drills.yaml states",
            next_step="Do not rely on this way back before it does.",
        )


def facts(drill: Drill, found: Measured, rows: Sequence[Row]) -> dict[str, Any]:
    """The drill's facts for `run.json`."""
    return {
        "drill": {
            "name": drill.name,
            "what": drill.what,
            "passed": all(row.passed for row in rows),
            "rows": [asdict(row) for row in rows],
            "measured": {
                **asdict(found),
                "failed_share": found.failed_share,
                # As it was before a drill had several.
                "alert": asdict(found.alerts[0]) if found.alerts else None,
            },
        }
    }


def sentence(drill: Drill, found: Measured, rows: Sequence[Row]) -> str:
    """How the drill ended, in one sentence."""
    good = sum(row.passed for row in rows)
    back = found.time_to_roll_back_s
    how = f"{found.end}" + (f" by {found.ended_by}" if found.ended_by else "")
    detect = f", {found.time_to_detect_s:.1f} s after it began" if found.time_to_detect_s is not None else ""
    last = f", its last answer {back:.1f} s later" if back else ""
    failed = f"{found.failed:,} of {found.sent:,} requests failed"
    return f"drill {drill.name}: {how}{detect}{last}; {failed}; {good} of {len(rows)} expectations hold."


def ended_by(outcome: CanaryOutcome) -> EndedBy:
    """Who ended a canary that was not promoted."""
    judged = outcome.judged
    if judged is not None and judged.aborted:
        return EndedBy.JUDGE if judged.verdict == "harmful" else EndedBy.GATE
    if "ProgressDeadline" in outcome.message or "progress deadline" in outcome.message.lower():
        return EndedBy.PROGRESS_DEADLINE
    if outcome.verdict is Verdict.TIMED_OUT:
        return EndedBy.TIME_LIMIT
    return EndedBy.ANALYSIS


def _time_to_detect(
    figures: DrillFigures | None, answers: Sequence[RequestRecord], aborted_s: float
) -> float | None:
    """Seconds from the version's first failed answer (its first answer when none failed) to the abort."""
    if figures is None or figures.first_failure_s is not None:
        return figures.time_to_detect_s if figures else None
    first = min((one.ended_s for one in answers), default=aborted_s)
    return aborted_s - first if first < aborted_s else None


def _longest_in_flight(answers: Sequence[RequestRecord], moment_s: float) -> float:
    """Seconds of the longest request of the version that was sent before a moment and answered after it."""
    flying = (one.ended_s - one.sent_s for one in answers if one.sent_s <= moment_s <= one.ended_s)
    return max(flying, default=0.0)


def _verdicts(ctx: PhaseContext) -> tuple[str, ...]:
    """What the judge said of the whole at the looks of this phase, each verdict once."""
    looks = (one for one in ctx.journal.entries() if one.phase == ctx.phase and one.name == LOOK)
    return tuple(dict.fromkeys(str(one.data["verdict"]) for one in looks))
