"""Replays each rule of a policy over a canary."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from rollbook.errors import BadInputError
from rollbook.judge.latency import Histogram, LatencyJudge
from rollbook.judge.model import Block, Margin, MetricVerdict, Verdict, Window
from rollbook.judge.panel import Panel, split_alpha
from rollbook.judge.rates import RateJudge, told
from rollbook.judge.standing import RateMetric, Rules, Standing, advance
from rollbook.replay import fisher, threshold
from rollbook.replay.course import ABORT, PROMOTE, Course, Floats, Judged, Threshold
from rollbook.replay.policy import AS_RECORDED, JUDGE_RECORDED, JudgeSection, Policy

JUDGE, THRESHOLD, FISHER, HAPPENED = "judge", "threshold", "fisher", "happened"
WHAT_HAPPENED = "what happened"
MOST_LOOKS = 200_000
ERRORS = "errors"


@dataclass(frozen=True)
class Decision:
    """What a rule would have done: `abort`, `pause`, `promote`, or nothing ("") until the record ends.

    `after_s` in seconds since users first met the new version. `answers` are those that it gave up to then,
    `failed` those of them that failed; with nothing decided, up to the end of the record. `weight` is in
    percent. `safe_s` is when the judge first called the canary safe. `basis` is what was counted: `requests`,
    those of the users, `counters`, or `metrics`, Prometheus' recorded answers.
    """

    rule: str
    kind: str
    does: str
    after_s: float | None
    weight: int | None
    answers: int
    failed: int
    why: str
    safe_s: float | None
    basis: str


def decide(course: Course, policy: Policy) -> tuple[Decision, ...]:
    """What each rule would have decided, in the policy's order, after what really happened if that is known.

    BadInputError when the record is too long for so many looks.
    """
    looks = moments(course, policy.every_s)
    counts = blocks(course, looks)
    found = [happened(course)] if course.happened.decision or not course.step_s else []
    for name, judge in policy.judge.items():
        found.append(_judged(course, policy, name, judge, looks, counts))
    if policy.recorded and course.judged is not None:
        found.append(_said(course, course.judged))
    if policy.recorded and course.recorded is not None:
        found.append(_measured(course, AS_RECORDED, course.recorded))
    found += [_measured(course, name, one.rule()) for name, one in policy.thresholds.items()]
    for name, one in policy.fisher.items():
        alpha = policy.alpha if one.alpha is None else one.alpha
        at = fisher.first_below(counts.cumsum(axis=0), alpha)
        why = f"p was {'never' if at is None else ''} below {alpha:g}".replace("  ", " ")
        found.append(_told(course, name, FISHER, None if at is None else float(looks[at]), why=why))
    return tuple(found)


def happened(course: Course) -> Decision:
    """What really happened, told as a rule's decision is."""
    real = course.happened
    why = ": ".join(one for one in (f"by {real.by}" if real.by else "", real.message) if one)
    return _told(course, WHAT_HAPPENED, HAPPENED, real.after_s, does=real.decision, why=why)


def moments(course: Course, every_s: float) -> Floats:
    """Looks, in seconds: multiples of `every_s` from the first count on, as long as nobody had decided."""
    every = max(every_s, course.step_s)
    first, last = math.ceil(course.starts_s / every), math.floor(course.ends_s / every + 1e-9)
    if last - first > MOST_LOOKS:
        raise BadInputError(
            f"{course.run}, {course.phase}: {last - first:,} looks are too many",
            why=f"at most {MOST_LOOKS:,} are replayed",
            next_step="Look less often (every_s, --step), or over less time.",
        )
    return np.arange(first, last + 1, dtype=np.float64) * every


def blocks(course: Course, looks: Floats) -> Floats:
    """Requests and bad ones since the look before, (T, 4), in the order of a `judge.model.Block`'s fields."""
    totals = np.concatenate((course.stable.until(looks)[:, :2], course.canary.until(looks)[:, :2]), axis=-1)
    return np.diff(totals, axis=0, prepend=np.zeros((1, 4)))


def _judged(
    course: Course, policy: Policy, name: str, rule: JudgeSection, looks: Floats, counts: Floats
) -> Decision:
    alpha = policy.alpha if rule.alpha is None else rule.alpha
    margin = Margin(policy.margin if rule.margin is None else rule.margin)
    metric = RateMetric(ERRORS, alpha, margin)
    if not len(looks):
        verdict = _Verdict("nothing was looked at before the record ends")
    elif rule.latency_weight and course.canary.latency_s is not None:
        verdict = _with_latency(course, rule, metric, looks, counts)
    else:
        verdict = _by_errors(metric, looks, counts)
    return _told(course, name, JUDGE, verdict.harmful_s, why=verdict.why, safe_s=verdict.safe_s)


@dataclass(frozen=True)
class _Verdict:
    why: str
    harmful_s: float | None = None
    safe_s: float | None = None


def _by_errors(metric: RateMetric, looks: Floats, counts: Floats) -> _Verdict:
    """Up to the first look at which the canary is harmful, or to the last."""
    rules = Rules.of((metric,))
    trace = advance(rules, Standing.start(1), looks, counts[:, None])
    first = [None if math.isnan(one) else float(one) for one in trace.standing.first[0]]
    standing = trace.standing
    end = len(looks)
    if first[0] is not None:
        end = int(np.searchsorted(looks, first[0])) + 1
        standing = advance(rules, Standing.start(1), looks[:end], counts[:end, None]).standing
    [found] = told((metric,), standing, Window(float(looks[0]), float(looks[end - 1])))
    return _Verdict(found.sentence, found.first_harmful_s, found.first_safe_s)


def _with_latency(
    course: Course, rule: JudgeSection, metric: RateMetric, looks: Floats, counts: Floats
) -> _Verdict:
    """Errors and latency by one alpha, look by look as in a release, until the canary is harmful."""
    slow = f"p{rule.latency_quantile * 100:g}"
    weights = {ERRORS: 1.0 - rule.latency_weight, slow: rule.latency_weight}
    parts = split_alpha(metric.alpha, weights)
    errors = RateJudge(replace(metric, alpha=parts[ERRORS]))
    latency = LatencyJudge(rule.latency_quantile, alpha=parts[slow])
    panel = Panel(metric.alpha, weights)
    safe_s, before, why = None, -math.inf, ""
    edges = _telling_edges(course, np.array(sorted(set(rule.edges_s))))
    for at_s, row in zip(looks.tolist(), counts.tolist(), strict=True):
        seen = [_histogram(side.latencies(before, at_s), edges) for side in (course.stable, course.canary)]
        before = at_s
        verdicts: list[MetricVerdict] = [
            errors.look(at_s, Block(*(int(one) for one in row))),
            latency.look(at_s, seen[0], seen[1]),
        ]
        found = panel.look(verdicts)
        why = found.sentence
        if found.verdict is Verdict.HARMFUL:
            return _Verdict(why, at_s, safe_s)
        if found.verdict is Verdict.SAFE and safe_s is None:
            safe_s = at_s
    return _Verdict(why, None, safe_s)


def _telling_edges(course: Course, edges: Floats) -> Floats:
    """Edges between which stable had answers before users met the new version; all, where it had none.

    Edges with the same share below them are equally near to a quantile. Of those the lowest says most: beyond
    a far one nothing is slow that was not broken.
    """
    before = np.sort(course.stable.latencies(-math.inf, 0.0))
    _, first = np.unique(np.searchsorted(before, edges, side="right"), return_index=True)
    return edges[first] if len(before) else edges


def _histogram(latencies: Floats, edges: Floats) -> Histogram:
    below = np.searchsorted(np.sort(latencies), edges, side="right").tolist()
    return Histogram({**dict(zip(edges.tolist(), below, strict=True)), math.inf: len(latencies)})


def _said(course: Course, judged: Judged) -> Decision:
    """What the judge said in the run, as long as nobody had decided; it counts by Prometheus' counters."""
    harmful_s, safe_s = (
        None if one is None or one > course.ends_s else one for one in (judged.harmful_s, judged.safe_s)
    )
    return _told(course, JUDGE_RECORDED, JUDGE, harmful_s, why=judged.message, safe_s=safe_s, basis="metrics")


def _measured(course: Course, name: str, rule: Threshold) -> Decision:
    found = threshold.replay(course, rule)
    return _told(course, name, THRESHOLD, found.after_s, does=found.does, why=found.why, basis=found.basis)


def _told(
    course: Course,
    rule: str,
    kind: str,
    after_s: float | None,
    *,
    does: str = ABORT,
    why: str = "",
    safe_s: float | None = None,
    basis: str = "requests",
) -> Decision:
    """A decision with its moment, and with how many users had met the new version by then."""
    answers, _, failed = course.canary.until(course.ends_s if after_s is None else after_s).tolist()
    return Decision(
        rule=rule,
        kind=kind,
        does="" if after_s is None else does,
        after_s=after_s,
        weight=None if after_s is None or does == PROMOTE else course.weight_at(after_s),
        answers=int(answers),
        failed=int(failed),
        why=why,
        safe_s=safe_s,
        basis="counters" if course.step_s else basis,
    )
