"""How one canary went, counted: what every rule is replayed over."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ABORT, PROMOTE, PAUSE = "abort", "promote", "pause"


@dataclass(frozen=True)
class Answers:
    """Answers of one side; arrays of shape (T,), in order of time.

    at_s       when, in seconds since users first met the new version; before it they are below 0
    requests   how many answers each entry stands for: 1, or what a counter rose by
    bad        those of them that the service itself failed (5xx), which is what its counters show
    failed     those that failed for the user, for whatever cause
    latency_s  of each single request, in seconds; None where only counters are known
    """

    at_s: Floats
    requests: Floats
    bad: Floats
    failed: Floats
    latency_s: Floats | None = None

    @cached_property
    def _sums(self) -> Floats:
        """(T + 1, 3): requests, bad and failed ones before each entry."""
        columns = np.stack((self.requests, self.bad, self.failed), axis=-1)
        return np.concatenate((np.zeros((1, 3)), columns.cumsum(axis=0)))

    def until(self, at_s: Floats | float) -> Floats:
        """Requests, bad and failed ones up to and including `at_s`, (..., 3)."""
        return np.asarray(self._sums[np.searchsorted(self.at_s, at_s, side="right")])

    def latencies(self, after_s: float, until_s: float) -> Floats:
        """Latencies in seconds of answers after `after_s`, up to `until_s`; none where only counters are
        known."""
        if self.latency_s is None:
            return np.zeros(0)
        low, high = np.searchsorted(self.at_s, (after_s, until_s), side="right")
        return self.latency_s[low:high]


@dataclass(frozen=True)
class Signal:
    """What Prometheus answered for a signal of the canary: `values` at `at_s`, (T,), over `window_s`."""

    at_s: Floats
    values: Floats
    window_s: float

    def at(self, moment_s: float) -> float | None:
        """The value at a moment: the last one before it, unless that is older than a step and a half."""
        place = int(np.searchsorted(self.at_s, moment_s, side="right")) - 1
        step = float(np.median(np.diff(self.at_s))) if len(self.at_s) > 1 else 1.0
        if place < 0 or moment_s - self.at_s[place] > 1.5 * step or not np.isfinite(self.values[place]):
            return None
        return float(self.values[place])


@dataclass(frozen=True)
class Happened:
    """What was really decided: `abort`, `promote`, or nothing (""); by whom, when, and in whose words."""

    decision: str = ""
    by: str = ""
    after_s: float | None = None
    message: str = ""


@dataclass(frozen=True)
class Threshold:
    """A rule as Argo's AnalysisTemplates have it: a bound, measured again and again over a window.

    Each `interval_s`, first after `initial_delay_s`, the share of good answers of the last `window_s` seconds
    is held against `least_success_rate`, and their p95 against `most_p95_s` unless that is None. With fewer
    than `minimum_requests` the measurement is inconclusive. A metric fails when more than `failure_limit` of
    its measurements did, and is inconclusive when more than `inconclusive_limit` were (Argo Rollouts,
    analysis: failureLimit, inconclusiveLimit; both count over the whole AnalysisRun).
    """

    least_success_rate: float = 0.95
    window_s: float = 10.0
    minimum_requests: float = 10.0
    interval_s: float = 3.0
    initial_delay_s: float = 3.0
    failure_limit: int = 1
    inconclusive_limit: int = 3
    most_p95_s: float | None = None


@dataclass(frozen=True)
class Judged:
    """What the judge said in the run: when first harmful and first safe, in seconds; None for never."""

    harmful_s: float | None = None
    safe_s: float | None = None
    message: str = ""


@dataclass(frozen=True)
class Course:
    """One canary. Times in seconds since users first met the new version, which is `began_s` since the epoch.

    Rules see what is between `starts_s` and `ends_s`: from there on somebody had decided, and what would have
    come without it is not known. `faulty` is None where nobody knows; `step_s` is 0 where requests are known
    one by one. `recorded` is the threshold rule that the run itself had, measured first `analysis_s` + delay,
    and `judged` what the judge said in it; None where there was none.
    """

    run: str
    phase: str
    stable_version: str
    canary_version: str
    fault: str
    faulty: bool | None
    began_s: float
    starts_s: float
    ends_s: float
    stable: Answers
    canary: Answers
    happened: Happened
    weights: tuple[tuple[float, int], ...] = ()
    signals: dict[str, Signal] = field(default_factory=dict)
    """Of the canary, by name: `requests` (a second), `errors` (share) and `p95` (seconds), as recorded."""
    recorded: Threshold | None = None
    analysis_s: float = 0.0
    judged: Judged | None = None
    step_s: float = 0.0

    def weight_at(self, at_s: float) -> int | None:
        """The canary's weight in percent at a moment; None where weights are not known."""
        if not self.weights:
            return None
        return next((weight for moment, weight in reversed(self.weights) if moment <= at_s), 0)
