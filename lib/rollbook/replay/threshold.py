"""Replays a threshold rule as Argo Rollouts measures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollbook.domain.accounting import percentile
from rollbook.replay.course import ABORT, PAUSE, Course, Threshold

KEPT_BY_S = 1.0


@dataclass(frozen=True)
class Sample:
    """What one measurement finds: requests of the window, share of good ones, p95 in seconds.

    None: there is no number.
    """

    requests: float
    success: float | None
    p95_s: float | None


@dataclass(frozen=True)
class Measured:
    """What the rule would have done, when, why, and what it counted (`requests` or `metrics`)."""

    does: str
    after_s: float | None
    why: str
    basis: str


def replay(course: Course, rule: Threshold) -> Measured:
    """Measure until a metric has failed, was inconclusive too often, or somebody had decided.

    Where Prometheus' answers over the same window are on record, they are what is measured, for they are what
    Argo saw: a series that has just begun has fewer requests in `increase` than users had sent. Elsewhere
    requests are counted. A bound for p95 is passed over where no latency is known.
    """
    recorded = _on_record(course, rule)
    sample = _from_signals(course) if recorded else _from_answers(course, rule)
    basis = "metrics" if recorded else "requests"
    failed, inconclusive, measured = {"success rate": 0, "p95": 0}, {"success rate": 0, "p95": 0}, 0
    while True:
        at_s = course.analysis_s + rule.initial_delay_s + measured * rule.interval_s
        if at_s > course.ends_s:
            break
        measured += 1
        found = sample(at_s)
        enough = found.requests >= rule.minimum_requests and found.requests > 0
        bounds: list[tuple[str, float | None, bool]] = [
            ("success rate", found.success, (found.success or 0.0) >= rule.least_success_rate)
        ]
        if rule.most_p95_s is not None and (recorded or course.canary.latency_s is not None):
            bounds.append(("p95", found.p95_s, (found.p95_s or 0.0) <= rule.most_p95_s))
        for name, value, good in bounds:
            if value is None or not enough:
                inconclusive[name] += 1
            elif not good:
                failed[name] += 1
                if failed[name] > rule.failure_limit:
                    return Measured(ABORT, at_s, f"{name} was {value:.4g} at measurement {measured}", basis)
        worst = max(inconclusive.values())
        if worst > rule.inconclusive_limit:
            return Measured(PAUSE, at_s, f"{worst} of {measured} measurements were inconclusive", basis)
    if not measured:
        return Measured("", None, "the record ends before the first measurement", basis)
    bad = max(failed.values())
    return Measured(
        "", None, f"{bad} of {measured} measurements failed, at most {rule.failure_limit} may", basis
    )


def _on_record(course: Course, rule: Threshold) -> bool:
    needed = ("requests", "errors", *(("p95",) if rule.most_p95_s is not None else ()))
    return all(name in course.signals and course.signals[name].window_s == rule.window_s for name in needed)


def _from_signals(course: Course) -> Callable[[float], Sample]:
    def sample(told_s: float) -> Sample:
        # Kubernetes keeps times by the second: what was measured then was measured within the second after.
        at_s = max(told_s, min(told_s + KEPT_BY_S, course.ends_s))
        rps, errors = course.signals["requests"].at(at_s), course.signals["errors"].at(at_s)
        p95 = course.signals["p95"].at(at_s) if "p95" in course.signals else None
        requests = 0.0 if rps is None else rps * course.signals["requests"].window_s
        return Sample(requests, None if errors is None else 1.0 - errors, p95)

    return sample


def _from_answers(course: Course, rule: Threshold) -> Callable[[float], Sample]:
    def sample(at_s: float) -> Sample:
        since_s = at_s - rule.window_s
        requests, bad, _ = (course.canary.until(at_s) - course.canary.until(since_s)).tolist()
        p95 = percentile(course.canary.latencies(since_s, at_s).tolist(), 95) if rule.most_p95_s else None
        return Sample(requests, 1.0 - bad / requests if requests else None, p95)

    return sample
