"""Canaries made by code. Nothing here was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rollbook.replay.course import Answers, Course, Floats, Happened


def answers(
    at_s: Floats, failed: Sequence[bool] | Floats | None = None, latency_s: Floats | None = None
) -> Answers:
    """Single requests, of which those fail that the service fails."""
    bad = np.zeros(len(at_s)) if failed is None else np.asarray(failed, dtype=np.float64)
    return Answers(np.asarray(at_s, dtype=np.float64), np.ones(len(at_s)), bad, bad, latency_s)


def course(
    stable: Answers,
    canary: Answers,
    *,
    ends_s: float = 60.0,
    faulty: bool | None = None,
    happened: Happened | None = None,
) -> Course:
    """A canary that users met from second 0 on, after ten seconds of stable alone."""
    return Course(
        run="made",
        phase="canary",
        stable_version="1",
        canary_version="2",
        fault="errors" if faulty else "",
        faulty=faulty,
        began_s=1_000_000.0,
        starts_s=-10.0,
        ends_s=ends_s,
        stable=stable,
        canary=canary,
        happened=happened or Happened(),
    )


def steady(
    *, errors: float = 0.0, slow_s: float = 0.0, ends_s: float = 60.0, seed: int = 5, canary_rps: float = 10.0
) -> Course:
    """40 requests a second to stable, `canary_rps` to the canary, of which `errors` fail.

    Latencies are those of stable, around 20 ms, and `slow_s` more.
    """
    dice = np.random.default_rng(seed)
    stable_at = np.arange(-10.0, ends_s, 1 / 40)
    canary_at = np.arange(0.0, ends_s, 1 / canary_rps)
    stable = answers(stable_at, None, dice.lognormal(-4, 0.3, len(stable_at)))
    failed = dice.random(len(canary_at)) < errors
    canary = answers(canary_at, failed, dice.lognormal(-4, 0.3, len(canary_at)) + slow_s)
    return course(stable, canary, ends_s=ends_s, faulty=bool(errors or slow_s))


def ended(made: Course, decision: str, after_s: float) -> Course:
    """The same canary, of which somebody decided after so many seconds."""
    return replace(made, ends_s=after_s, happened=Happened(decision, "argo-rollouts", after_s))
