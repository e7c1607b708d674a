"""What users got out of a canary: every request accounted for, the sentence for people, and the gate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rollbook.domain.accounting import DrillFigures, VersionSummary, drill_figures, summarise
from rollbook.domain.fates import Around, Tally, around, changes, fates
from rollbook.domain.release import Verdict
from rollbook.domain.rollout import MetricResult
from rollbook.errors import EnvironmentFailedError, GateRefusedError
from rollbook.evidence.journal import Kind
from rollbook.evidence.resting import EVIDENCE
from rollbook.phases.canary import CanaryOutcome
from rollbook.phases.context import PhaseContext


@dataclass(frozen=True)
class UserAccount:
    """All requests of a canary: by the version that answered, and what a rolled-back version did."""

    sent: int
    failed: int
    failed_by_stable: int
    """Failed requests that the stable version answered."""
    versions: tuple[VersionSummary, ...]
    drill: DrillFigures | None
    """Only of a canary that was rolled back."""
    around: tuple[Around, ...] = ()
    """What users got just before and just after each change of weight, the abort and the promotion."""


def account(ctx: PhaseContext, outcome: CanaryOutcome) -> UserAccount:
    """Account for every request of the canary's users."""
    records = outcome.records
    planned = outcome.planned
    drill = None
    if outcome.verdict is not Verdict.PROMOTED:
        aborted_s = outcome.decided_at.timestamp()
        drill = drill_figures(records, bad_version=planned.version, aborted_s=aborted_s)
    versions = summarise(records)
    told = UserAccount(
        sent=len(records),
        failed=sum(record.failed for record in records),
        failed_by_stable=sum(one.failed for one in versions if one.version == planned.stable_version),
        versions=versions,
        drill=drill,
        around=_around(outcome),
    )
    ctx.journal.append(Kind.OBSERVATION, "users", {"sent": told.sent, "failed": told.failed}, source="users")
    ctx.say(f"{told.failed} of {told.sent} requests failed")
    return told


def _around(outcome: CanaryOutcome) -> tuple[Around, ...]:
    planned, decided_s = outcome.planned, outcome.decided_at.timestamp()
    promoted = outcome.verdict is Verdict.PROMOTED
    moments = changes(
        [(at.timestamp(), weight) for at, weight in outcome.weights],
        stable=planned.stable_version,
        canary=planned.version,
        promoted_s=decided_s if promoted else None,
        aborted_s=None if promoted else decided_s,
    )
    return around(outcome.records, moments)


def sentence(outcome: CanaryOutcome, told: UserAccount) -> str:
    """What happened and why, in one or two sentences with numbers."""
    planned = outcome.planned
    what = f"{planned.version}" + (f" (fault: {planned.fault})" if planned.fault else "")
    weights = [weight for _, weight in outcome.weights if weight]
    path = " → ".join(f"{weight} %" for weight in dict.fromkeys(weights)) or "no weight"
    failed = f"{told.failed:,} of {told.sent:,} user requests failed"
    if outcome.verdict is Verdict.PROMOTED:
        seconds = (outcome.decided_at - outcome.weights[0][0]).total_seconds()
        return (
            f"{what} was promoted over {planned.stable_version} in {seconds:.0f} s, by {path}: {failed}"
            f"{_measured(outcome)}."
        )
    if outcome.verdict is Verdict.ROLLED_BACK:
        drill = told.drill
        detect = drill.time_to_detect_s if drill else None
        after = f" {detect:.1f} s after its first failed answer" if detect is not None else ""
        back = f"; the last answer of it came {drill.time_to_roll_back_s:.1f} s later" if drill else ""
        by_judge = outcome.judged is not None and outcome.judged.aborted
        return (
            f"{what} was rolled back by {'the judge' if by_judge else 'Argo'} at {path}{after}, "
            f"because {_reason(outcome)}{back}. "
            f"{failed}, {told.failed_by_stable} of them answered by stable."
        )
    why = outcome.message or "it did not end in time"
    return f"{what} was stopped at {path} and traffic brought back to stable: {why}; {failed}."


def facts(outcome: CanaryOutcome, told: UserAccount) -> dict[str, Any]:
    """The canary's facts for `run.json`."""
    planned, drill = outcome.planned, told.drill
    return {
        "release": {
            "version": planned.version,
            "digest": outcome.image.digest,
            "reference": outcome.image.reference,
            "fault": planned.fault,
        },
        "stable": {"version": planned.stable_version, "hash": planned.stable_hash},
        "canary": {"version": planned.version, "hash": outcome.canary_hash},
        "decided": outcome.decided_at.isoformat(),
        "declared_s": outcome.declared_s,
        "users": {
            "sent": told.sent,
            "failed": told.failed,
            "by_fate": {fate.value: count for fate, count in fates(outcome.records).items()},
            "around": [_around_facts(one) for one in told.around],
            "by_version": {
                one.version: {
                    "sent": one.sent,
                    "failed": one.failed,
                    "by_cause": {cause.value: count for cause, count in one.by_cause.items()},
                }
                for one in told.versions
            },
        },
        "time_to_detect_s": _rounded(drill.time_to_detect_s) if drill else None,
        "time_to_roll_back_s": _rounded(drill.time_to_roll_back_s) if drill else None,
        "judge": asdict(outcome.judged) if outcome.judged else None,
    }


def _around_facts(one: Around) -> dict[str, Any]:
    last_s = one.last_answer_s
    return {
        "change": one.change.kind.value,
        "weight": one.change.weight,
        "at_s": one.change.at_s,
        "before": _tally_facts(one.before),
        "after": _tally_facts(one.after),
        "leaving": one.change.leaving,
        "last_answer_after_s": _rounded(last_s - one.change.at_s) if last_s is not None else None,
    }


def _tally_facts(one: Tally) -> dict[str, Any]:
    return {
        "start_s": one.start_s,
        "end_s": one.end_s,
        "sent": one.sent,
        "failed": one.failed,
        "slowest_s": _rounded(one.slowest_s),
        "by_version": {
            version: {fate.value: count for fate, count in found.items()}
            for version, found in one.by_version.items()
        },
    }


def gate(ctx: PhaseContext, outcome: CanaryOutcome, told: UserAccount, *, expect: str) -> None:
    """Pass when the verdict is the expected one and users stayed within the objective.

    A promoted canary: the share of requests that failed is within `1 - slo.availability`. One that was
    rolled back: the same of the requests that stable answered, for the new version failed on purpose or was
    caught. GateRefusedError names each expectation that does not hold. EnvironmentFailedError when the
    analysis ended for want of answers from Prometheus, which says nothing about the version.
    """
    blind = _could_not_measure(outcome)
    if blind and outcome.verdict.value != expect:
        raise EnvironmentFailedError(
            f"Argo aborted {outcome.planned.version} because its analysis could not measure",
            why=blind,
            next_step="Look at Prometheus; the version itself was not found bad.",
        )
    allowed = 1 - ctx.service.slo.availability
    if outcome.verdict is Verdict.PROMOTED:
        sent, failed, whose = told.sent, told.failed, "requests"
    else:
        stable = [one for one in told.versions if one.version == outcome.planned.stable_version]
        sent = sum(one.sent for one in stable)
        failed, whose = told.failed_by_stable, "requests answered by stable"
    share = failed / sent if sent else 0.0
    rows = (
        (
            "verdict",
            outcome.verdict.value == expect,
            expect,
            outcome.verdict.value,
            f"the canary was expected to be {expect} and was {outcome.verdict.value}",
        ),
        (
            "users",
            sent > 0 and share <= allowed,
            f"at most {allowed * 100:.3g} % failed",
            f"{failed:,} of {sent:,}",
            f"{failed:,} of {sent:,} {whose} failed ({share * 100:.3g} %); at most {allowed * 100:.3g} % may",
        ),
    )
    evidence = {EVIDENCE: list(outcome.evidence)} if outcome.evidence else {}
    log = ctx.folder.traffic_log(ctx.phase).relative_to(ctx.folder.path).as_posix()
    for name, passed, expected, got, told_in_words in rows:
        ctx.journal.append(
            Kind.GATE,
            name,
            {
                "passed": passed,
                "expected": expected,
                "got": got,
                "sentence": told_in_words,
                "files": [log],
                **evidence,
            },
        )
    refused = [words for _, passed, _, _, words in rows if not passed]
    if refused:
        raise GateRefusedError("; ".join(refused), why=sentence(outcome, told))


def _could_not_measure(outcome: CanaryOutcome) -> str:
    """What the analysis complained of when it ended in errors alone; empty when it judged."""
    ended = [run for run in outcome.analysis if run.phase in {"Failed", "Error"}]
    bad = [metric for run in ended for metric in run.metrics if metric.phase in {"Failed", "Error"}]
    if not bad or any(metric.phase == "Failed" for metric in bad):
        return ""
    said = [one.message for metric in bad for one in metric.measurements if one.message]
    return f"{bad[0].name}: {said[-1] if said else bad[0].message or 'error'}"


def _measured(outcome: CanaryOutcome) -> str:
    """How many measurements of the analysis were good, and how many could not tell."""
    # Argo keeps the last measurements only, but counts them all.
    metrics = [metric for run in outcome.analysis for metric in run.metrics]
    good = sum(one.successful for one in metrics)
    total = sum(one.successful + one.failed + one.inconclusive + one.errors for one in metrics)
    if not total:
        return ""
    unsure = sum(one.inconclusive for one in metrics)
    words = f", {good} of {total} measurements of Argo's analysis were good"
    return words + (f" ({unsure} had too little data)" if unsure else "")


def _reason(outcome: CanaryOutcome) -> str:
    """Why it was aborted: the judge's words, or the metric, its last bad value and the condition; without one
    Argo's message."""
    if outcome.judged is not None and outcome.judged.aborted:
        counts = outcome.judged.sentence.partition(";")[0]
        return counts[:1].lower() + counts[1:]
    bad = [
        metric
        for run in outcome.analysis
        if run.phase in {"Failed", "Error"}
        for metric in run.metrics
        if metric.phase in {"Failed", "Error"}
    ]
    if not bad:
        return outcome.message or "its analysis failed"
    metric = bad[0]
    value = _last_bad_value(metric)
    condition = metric.failure_condition or metric.success_condition
    times = f"{metric.failed} measurement{'s' if metric.failed != 1 else ''} failed"
    if not value:
        return f"{metric.name}: {times}"
    return f"{metric.name} was {value} ({times}; condition: {condition})"


def _last_bad_value(metric: MetricResult) -> str:
    bad = [one.value for one in metric.measurements if one.phase in {"Failed", "Error"} and one.value]
    if not bad:
        return ""
    text = bad[-1].strip("[]")
    try:
        return f"{float(text):.3g}"
    except ValueError:
        return text


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
