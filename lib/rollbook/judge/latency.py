"""Judges latency as a share: requests slower than the bucket's edge at which stable had its p95 or p99.

Histograms have edges and nothing between them, so the question is asked at an edge: what share is slower?
The edge is chosen from stable's past alone and then kept, so that no request is judged by an edge that it
chose itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rollbook.errors import BadInputError
from rollbook.judge.model import Block, Margin, MetricVerdict, Verdict
from rollbook.judge.rates import RateJudge
from rollbook.judge.standing import RateMetric

ENOUGH = 20
"""Slow requests of stable that have to be seen, were the quantile exact, before an edge is chosen."""


@dataclass(frozen=True)
class Histogram:
    """Requests since the last look, by upper edge in seconds, cumulative as Prometheus has them; +Inf is all.

    BadInputError when a count falls from edge to edge, is below 0, or +Inf is not among the edges.
    """

    cumulative: Mapping[float, int]

    def __post_init__(self) -> None:
        counts = [count for _, count in sorted(self.cumulative.items())]
        if math.inf not in self.cumulative:
            raise BadInputError("a histogram lacks its +Inf bucket", why="it has the number of all requests")
        if counts[0] < 0 or counts != sorted(counts):
            raise BadInputError("a cumulative histogram falls from one edge to the next")

    @property
    def total(self) -> int:
        """All requests."""
        return self.cumulative[math.inf]


def increase(before: Mapping[float, int], now: Mapping[float, int]) -> Histogram:
    """Requests between two readings of a process' buckets; all of `now` when one fell, for it restarted."""
    if any(now.get(edge, 0) < count for edge, count in before.items()):
        return Histogram(dict(now))
    return Histogram({edge: count - before.get(edge, 0) for edge, count in now.items()})


def choose_edge(stable: Mapping[float, int], quantile: float) -> float | None:
    """The edge whose share of faster requests is nearest to `quantile`; above it if two are as near, and the
    lowest of those that have the same requests below them: a farther one would see a smaller slowdown late.

    None when nothing was counted, or all edges but +Inf have fewer than half of the requests below them: what
    is slower than such an edge is the ordinary request.
    """
    total = stable.get(math.inf, 0)
    finite = [edge for edge in stable if math.isfinite(edge)]
    useful = [edge for edge in finite if total and stable[edge] >= 0.5 * total]

    def far(edge: float) -> tuple[float, float, float]:
        share = stable[edge] / total
        return round(abs(share - quantile), 12), -share, edge

    return min(useful, key=far, default=None)


class LatencyJudge:
    """Chooses the edge by stable's requests before the canary, or of its first looks, and then judges.

    What was used to choose is not judged. `quantile` is 0.95 or 0.99; the metric is called `p95` or `p99`.
    `past`, if given, is stable's histogram from before the canary. Without a `margin`, safe is a canary with
    less than half as many slow requests again. BadInputError for a quantile below the median.
    """

    def __init__(
        self,
        quantile: float = 0.95,
        *,
        alpha: float = 0.01,
        margin: Margin | None = None,
        query: str = "",
        past: Histogram | None = None,
    ) -> None:
        if not 0.5 <= quantile < 1:
            raise BadInputError(f"{quantile:g} is no quantile to judge by", next_step="Give 0.95 or 0.99.")
        margin = margin or Margin(0.5, relative=True)
        self._metric = RateMetric(f"p{quantile * 100:g}", alpha, margin, query=query)
        self._quantile = quantile
        self._seen: dict[float, int] = {}
        self._judge: RateJudge | None = None
        self.edge_s: float | None = None
        if past is not None:
            self._consider(past)

    def look(self, at_s: float, stable: Histogram | None, canary: Histogram | None) -> MetricVerdict:
        """The verdict after requests since the last look; None for a scrape that is missing on that side.

        BadInputError when a later histogram lacks the edge: buckets must not change while a canary is judged.
        """
        if self._judge is None or self.edge_s is None:
            if stable is not None:
                self._consider(stable)
            return self._not_yet(at_s)
        if stable is None or canary is None:
            return self._judge.look(at_s, None)
        slow = [one.total - self._faster(one, self.edge_s) for one in (stable, canary)]
        return self._judge.look(at_s, Block(stable.total, slow[0], canary.total, slow[1]))

    def _faster(self, histogram: Histogram, edge_s: float) -> int:
        if edge_s not in histogram.cumulative:
            raise BadInputError(
                f"a histogram lacks the edge of {edge_s:g} s that {self._metric.name} is judged by",
                why="its buckets are others than stable's were",
            )
        return histogram.cumulative[edge_s]

    def _consider(self, stable: Histogram) -> None:
        for edge, count in stable.cumulative.items():
            self._seen[edge] = self._seen.get(edge, 0) + count
        if self._seen[math.inf] * (1.0 - self._quantile) < ENOUGH:
            return
        self.edge_s = choose_edge(self._seen, self._quantile)
        if self.edge_s is None:
            return
        total = self._seen[math.inf]
        guess = (total - self._seen[self.edge_s] + 0.5) / (total + 1.0)
        what = f"took longer than {self.edge_s:g} s"
        self._judge = RateJudge(replace(self._metric, what=what, guess=guess))

    def _not_yet(self, at_s: float) -> MetricVerdict:
        return replace(
            RateJudge(self._metric).look(at_s, None),
            verdict=Verdict.NO_DATA,
            sentence="Nothing can be said yet: too few requests of stable were seen to choose an edge by, "
            "or no edge of the histogram is beyond its ordinary request.",
        )
