"""What the users got, counted: by version, by interval of one weight, around changes, second by second.

Pure arithmetic over request records. Two definitions hold throughout:

- A percentile is the nearest-rank one: the smallest latency that at least p percent of the requests did not
  exceed. It is always a latency that some user really had. Requests that failed count with the time after
  which their user knew.
- A request belongs to the moment at which it was due (`scheduled_s`) when load is counted, and to the
  moment at which its answer was there (`ended_s`) when an answer is looked for. Seconds since the epoch.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollbook.domain.beta import beta_quantile
from rollbook.domain.traffic import Cause, RequestRecord

CONFIDENCE = 0.999
"""Of the interval around an observed share: one honest split in a thousand is called wrong."""
SETTLING_S = 3.0
"""Left out after each change of weight: the edge takes a moment to hear of it."""


@dataclass(frozen=True)
class VersionSummary:
    """What the users of one version got; `version` is empty for requests that no version answered.

    Latencies in seconds; None when nothing was sent.
    """

    version: str
    sent: int
    failed: int
    by_cause: Mapping[Cause, int]
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None

    @property
    def error_share(self) -> float | None:
        """Share of requests that failed, 0..1; None when nothing was sent."""
        return self.failed / self.sent if self.sent else None


@dataclass(frozen=True)
class WeightInterval:
    """A time `start_s` <= t < `end_s` (seconds since the epoch) with one canary `weight` (percent)."""

    start_s: float
    end_s: float
    weight: float


@dataclass(frozen=True)
class ObservedSplit:
    """The split that users saw while one weight was set, without the settling time at its start.

    Only requests that a version answered count. `low` and `high` bound the canary's true share (0..1) with
    probability `confidence`, by Clopper and Pearson; `share` and both bounds are None without a request.
    """

    interval: WeightInterval
    settling_s: float
    by_version: Mapping[str, int]
    answered: int
    canary: int
    share: float | None
    low: float | None
    high: float | None
    confidence: float

    @property
    def agrees(self) -> bool | None:
        """Whether the weight that was set lies within the bounds; None when there is nothing to judge."""
        if self.low is None or self.high is None:
            return None
        return self.low <= self.interval.weight / 100 <= self.high


@dataclass(frozen=True)
class DrillFigures:
    """What a faulty version did to users until it was gone. Times in seconds."""

    first_failure_s: float | None
    """When the first failed answer of the version was there (since the epoch); None when there was none."""
    time_to_detect_s: float | None
    """From that answer to the abort; None without a failure before the abort."""
    time_to_roll_back_s: float
    """From the abort to the last answer that the version gave; 0 when it gave none after it."""
    served: int
    """Requests that the version answered."""
    users_hit: int
    """Requests that failed, answered by the version."""
    unanswered: int
    """Requests that failed without an answer of any version, from its first answer to its last."""


@dataclass(frozen=True)
class ChangeWindow:
    """Requests due within `margin_s` seconds around one change."""

    moment_s: float
    margin_s: float
    sent: int
    failed: int
    by_cause: Mapping[Cause, int]


@dataclass(frozen=True)
class Bin:
    """One version in one bin of time that starts at `start_s` (since the epoch). Latency in seconds."""

    start_s: float
    sent: int
    failed: int
    p95_s: float


def percentile(latencies: Sequence[float], percent: float) -> float | None:
    """Nearest-rank percentile (0 < `percent` <= 100); None of nothing."""
    if not latencies:
        return None
    return _ranked(sorted(latencies), percent)


def summarise(records: Sequence[RequestRecord]) -> tuple[VersionSummary, ...]:
    """One summary a version, by name; requests that no version answered come last."""
    groups = _by_version(records)
    return tuple(_summary(version, groups[version]) for version in sorted(groups, key=_unknown_last))


def observed_splits(
    records: Sequence[RequestRecord],
    intervals: Sequence[WeightInterval],
    *,
    canary: str,
    settling_s: float = SETTLING_S,
    confidence: float = CONFIDENCE,
) -> tuple[ObservedSplit, ...]:
    """The split in each interval. `canary` is the version that the weight sends users to."""
    splits = []
    for interval in intervals:
        begin = interval.start_s + settling_s
        by_version = Counter(
            record.version
            for record in records
            if begin <= record.scheduled_s < interval.end_s and record.version
        )
        answered, hits = by_version.total(), by_version[canary]
        low, high = clopper_pearson(hits, answered, confidence) if answered else (None, None)
        splits.append(
            ObservedSplit(
                interval=interval,
                settling_s=settling_s,
                by_version={version: count for version, count in sorted(by_version.items()) if count},
                answered=answered,
                canary=hits,
                share=hits / answered if answered else None,
                low=low,
                high=high,
                confidence=confidence,
            )
        )
    return tuple(splits)


def drill_figures(records: Sequence[RequestRecord], *, bad_version: str, aborted_s: float) -> DrillFigures:
    """How fast a faulty version was detected and gone; `aborted_s` is the abort, since the epoch."""
    answers = [record for record in records if record.version == bad_version]
    failures = [record for record in answers if record.failed]
    first = min((record.ended_s for record in failures), default=None)
    last = max((record.ended_s for record in answers), default=aborted_s)
    begin = min((record.ended_s for record in answers), default=aborted_s)
    return DrillFigures(
        first_failure_s=first,
        time_to_detect_s=aborted_s - first if first is not None and first <= aborted_s else None,
        time_to_roll_back_s=max(0.0, last - aborted_s),
        served=len(answers),
        users_hit=len(failures),
        unanswered=sum(
            record.failed and not record.version and begin <= record.ended_s <= max(last, aborted_s)
            for record in records
        ),
    )


def around_changes(
    records: Sequence[RequestRecord], moments: Sequence[float], *, margin_s: float
) -> tuple[ChangeWindow, ...]:
    """Failures within `margin_s` of each moment (seconds since the epoch), both ends included."""
    windows = []
    for moment in moments:
        near = [record for record in records if abs(record.scheduled_s - moment) <= margin_s]
        windows.append(
            ChangeWindow(
                moment_s=moment,
                margin_s=margin_s,
                sent=len(near),
                failed=sum(record.failed for record in near),
                by_cause=failures_by_cause(near),
            )
        )
    return tuple(windows)


def series(records: Sequence[RequestRecord], *, bin_s: float = 1.0) -> Mapping[str, tuple[Bin, ...]]:
    """Counts and p95 by version in bins of `bin_s` seconds, aligned to the epoch; empty bins are left out."""
    found: dict[str, tuple[Bin, ...]] = {}
    groups = _by_version(records)
    for version in sorted(groups, key=_unknown_last):
        bins: defaultdict[int, list[RequestRecord]] = defaultdict(list)
        for record in groups[version]:
            bins[math.floor(record.scheduled_s / bin_s)].append(record)
        found[version] = tuple(
            Bin(
                start_s=number * bin_s,
                sent=len(inside),
                failed=sum(record.failed for record in inside),
                p95_s=_ranked(sorted(record.latency_s for record in inside), 95),
            )
            for number, inside in sorted(bins.items())
        )
    return found


def failures_by_cause(records: Sequence[RequestRecord]) -> Mapping[Cause, int]:
    """Failed requests by cause, most frequent first."""
    return dict(Counter(record.cause for record in records if record.failed).most_common())


def clopper_pearson(hits: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact bounds of a binomial share (Clopper and Pearson, Biometrika 26, 1934).

    They hold the true share with at least `confidence`, however few the trials. ValueError unless
    0 <= `hits` <= `trials`, at least one trial, and a confidence within (0, 1).
    """
    if not (0 <= hits <= trials and trials > 0 and 0 < confidence < 1):
        raise ValueError(f"no interval for {hits} of {trials} at {confidence}")
    tail = (1 - confidence) / 2
    # At the lower bound `hits` or more have probability `tail`, at the upper one `hits` or fewer.
    low = 0.0 if hits == 0 else beta_quantile(hits, trials - hits + 1, tail)
    high = 1.0 if hits == trials else beta_quantile(hits + 1, trials - hits, 1 - tail)
    return low, high


def _summary(version: str, records: Sequence[RequestRecord]) -> VersionSummary:
    latencies = sorted(record.latency_s for record in records)
    return VersionSummary(
        version=version,
        sent=len(records),
        failed=sum(record.failed for record in records),
        by_cause=failures_by_cause(records),
        p50_s=_ranked(latencies, 50),
        p95_s=_ranked(latencies, 95),
        p99_s=_ranked(latencies, 99),
    )


def _by_version(records: Sequence[RequestRecord]) -> Mapping[str, list[RequestRecord]]:
    groups: defaultdict[str, list[RequestRecord]] = defaultdict(list)
    for record in records:
        groups[record.version].append(record)
    return groups


def _unknown_last(version: str) -> tuple[bool, str]:
    return (not version, version)


def _ranked(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank of a sorted, non-empty sequence."""
    # The division comes last: n * (percent / 100) may come out a hair too high, and a whole rank with it.
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
