"""Threshold rules, measured as Argo Rollouts measures them: counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.replay.made import answers, course

from rollbook.replay.course import Course, Signal, Threshold
from rollbook.replay.threshold import replay

RULE = Threshold(
    least_success_rate=0.9,
    window_s=10.0,
    minimum_requests=5.0,
    interval_s=10.0,
    initial_delay_s=10.0,
    failure_limit=1,
    inconclusive_limit=1,
)


def canary_of(*failed_of_ten: int, ends_s: float = 0.0, latency_s: float = 0.01) -> Course:
    """Ten requests each ten seconds, at seconds 1 to 10, 11 to 20 and so on; the first of them fail."""
    failed = [number < bad for bad in failed_of_ten for number in range(10)]
    at_s = np.arange(1.0, 10.0 * len(failed_of_ten) + 1)
    canary = answers(at_s, failed, np.full(len(at_s), latency_s))
    stable = answers(np.array([-5.0]))
    return course(stable, canary, ends_s=ends_s or 10.0 * len(failed_of_ten))


@pytest.mark.parametrize(
    ("failed_of_ten", "expected"),
    [
        ((0, 0, 0, 0), ("", None)),
        ((2, 0, 0, 0), ("", None)),  # one failure is allowed
        ((2, 0, 2, 0), ("abort", 30.0)),  # they need not follow each other
        ((1, 1, 1, 1), ("", None)),  # 90 % is enough
        ((10, 10), ("abort", 20.0)),
    ],
)
def test_it_aborts_when_more_measurements_fail_than_the_limit(
    failed_of_ten: tuple[int, ...], expected: tuple[str, float | None]
) -> None:
    """Argo counts failures over the whole AnalysisRun."""
    found = replay(canary_of(*failed_of_ten), RULE)

    assert expected == (found.does, found.after_s)


def test_a_window_holds_what_is_in_it() -> None:
    """At second 10 a window of 4 s sees 7 to 10, of which none failed, though 6 of 10 had."""
    rule = replace(RULE, window_s=4.0, minimum_requests=4.0, failure_limit=0)

    assert "" == replay(canary_of(6, 6), rule).does
    assert ("abort", 20.0) == tuple(vars(replay(canary_of(6, 7), rule)).values())[:2]


def test_too_few_requests_are_inconclusive_and_pause() -> None:
    """Neither good nor bad; more of them than the limit pause the Rollout, although all requests failed."""
    rule = replace(RULE, minimum_requests=11.0)
    found = replay(canary_of(10, 10, 10), rule)

    assert ("pause", 20.0) == (found.does, found.after_s)


def test_a_canary_without_requests_is_inconclusive_even_without_a_minimum() -> None:
    """A share of nothing is no number."""
    quiet = replace(canary_of(0), canary=answers(np.array([0.0])), ends_s=60.0)
    found = replay(quiet, replace(RULE, minimum_requests=0.0, initial_delay_s=20.0))

    assert ("pause", 30.0) == (found.does, found.after_s)


def test_nothing_is_measured_after_somebody_decided() -> None:
    """What would have come is not known."""
    found = replay(canary_of(10, 10, ends_s=19.9), RULE)
    early = replay(canary_of(10, 10, ends_s=5.0), RULE)

    assert ("", "1 of 1 measurements failed, at most 1 may") == (found.does, found.why)
    assert ("", "the record ends before the first measurement") == (early.does, early.why)


def test_p95_is_a_metric_of_its_own() -> None:
    """Slow answers abort as failed ones do; each metric has its own count of failures."""
    rule = replace(RULE, most_p95_s=0.3)

    assert ("abort", 20.0) == tuple(vars(replay(canary_of(0, 0, latency_s=0.4), rule)).values())[:2]
    assert "" == replay(canary_of(0, 0, latency_s=0.2), rule).does
    assert "" == replay(canary_of(2, 0, latency_s=0.2), rule).does


def test_the_record_of_prometheus_is_what_argo_saw() -> None:
    """Where answers over the same window are there, they are measured: not the requests."""
    at_s = np.arange(0.0, 41.0)
    signals = {
        "requests": Signal(at_s, np.full(41, 1.0), 10.0),
        "errors": Signal(at_s, np.where(at_s < 30, 0.0, 0.5), 10.0),
    }
    seen = replace(canary_of(10, 10, 10, 10), signals=signals)
    found = replay(seen, RULE)
    other = replay(seen, replace(RULE, window_s=20.0))

    assert ("metrics", "abort", 40.0) == (found.basis, found.does, found.after_s)
    assert ("requests", "abort", 20.0) == (other.basis, other.does, other.after_s)


def test_a_gap_in_the_record_is_inconclusive() -> None:
    """A point older than a step and a half says nothing of now."""
    at_s = np.array([0.0, 1.0, 2.0, 28.0, 29.0, 30.0])
    signal = Signal(at_s, np.ones(6), 10.0)

    assert [1.0, 1.0, None, None, 1.0] == [signal.at(moment) for moment in (0.0, 3.4, 3.6, -1.0, 30.2)]
