"""A canary judged by all that its service counts: errors and latency decide; split and memory warn.

Pure: what was counted goes in, look by look, and a verdict in all comes out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from rollbook.judge.asking import BUCKETS, MEMORY, Sample
from rollbook.judge.counters import Counters, Oddities, Reading
from rollbook.judge.growth import GrowthJudge
from rollbook.judge.latency import Histogram, LatencyJudge
from rollbook.judge.model import Block, Judgement, Margin, MetricVerdict, Verdict
from rollbook.judge.panel import Panel, split_alpha
from rollbook.judge.rates import RateJudge
from rollbook.judge.split import SplitJudge
from rollbook.judge.standing import RateMetric

ERRORS, P95, SPLIT, MEMORY_METRIC = "errors", "p95", "split", "memory"
WEIGHTS: Mapping[str, float] = MappingProxyType({ERRORS: 0.8, P95: 0.2})
"""What part of alpha a metric that decides has; the whole of it is shared by those that are there."""
LATENCY_MARGIN = 0.025
"""Half as many again, where stable has one request in twenty beyond the edge."""
LEAST_EDGE_S = 0.05
"""Latency is judged at no lower edge of the histogram: below it a machine's noise is seen, and no user."""
UNSEEN = "No counters came at this look: what was safe before is not known to be so now."
FELL = 0.5
"""Memory that fell below this share of the reading before is that of a process that began anew."""


@dataclass(frozen=True)
class Rules:
    """How a canary is judged.

    `alpha` bounds, over all looks and metrics, the share of healthy canaries that are ever called harmful.
    `margin` is what failed requests may be above stable's and still be safe, as a share of requests, and
    `latency_margin` what slow ones may be. BadInputError when one of them cannot be.
    """

    alpha: float = 0.01
    margin: float = 0.01
    latency_margin: float = LATENCY_MARGIN


class CanaryPanel:
    """Takes what was counted at each moment, and gives the verdict in all.

    `counters` are the service's queries by name; what they lack is not judged. Begin before the canary does:
    what stable shows until then is learnt from, and judged by nobody.
    """

    def __init__(self, counters: Mapping[str, str], rules: Rules, *, memory_settle_s: float = 30.0) -> None:
        deciding = {ERRORS: WEIGHTS[ERRORS]}
        if BUCKETS in counters:
            deciding[P95] = WEIGHTS[P95]
        self.alphas = split_alpha(rules.alpha, deciding)
        """Part of alpha of each metric that decides."""
        self._panel = Panel(rules.alpha, deciding)
        query = counters.get(ERRORS, "")
        self._errors = RateJudge(
            RateMetric(ERRORS, alpha=self.alphas[ERRORS], margin=Margin(rules.margin), query=query)
        )
        self._latency: _Latency | None = None
        if P95 in deciding:
            margin = Margin(rules.latency_margin)
            self._latency = _Latency(
                LatencyJudge(0.95, alpha=self.alphas[P95], margin=margin, query=counters[BUCKETS])
            )
        self._split = SplitJudge(SPLIT, alpha=rules.alpha, query=counters.get("requests", ""))
        self._memory: _Memory | None = None
        if MEMORY in counters:
            self._memory = _Memory(
                GrowthJudge(
                    MEMORY_METRIC, alpha=rules.alpha, settle_s=memory_settle_s, query=counters[MEMORY]
                )
            )
        self._counters = Counters()
        self.unjudged = tuple(
            what for name, what in ((BUCKETS, "latency"), (MEMORY, "memory")) if name not in counters
        )
        """What is not judged, since the service names no query for it."""

    @property
    def oddities(self) -> Oddities:
        """What was odd in the counters so far."""
        return self._counters.oddities

    def look(
        self, at_s: float, stable: Sample | None, canary: Sample | None, weight: float | None
    ) -> tuple[Judgement, Block | None]:
        """The verdict after what was counted until `at_s`, and what was new: None when that is unknown.

        `stable` of None is a scrape that is missing, at which nothing is safe; `canary` of None has answered
        nobody that is known of. `weight`, 0 to 1, is what the canary was to get since the last look; None
        while that changed. Time has to go on from look to look.
        """
        other = canary or Sample()
        reading = None
        if stable is not None:
            sides = (stable.requests, stable.errors), (other.requests, other.errors)
            reading = Reading(at_s, *sides)
        block = self._counters.read(reading)
        metrics: list[MetricVerdict] = [self._errors.look(at_s, block)]
        if self._latency is not None:
            metrics.append(self._latency.look(at_s, stable, other))
        counted = block or Block()
        metrics.append(
            self._split.look(at_s, counted.stable_total, counted.canary_total, weight if block else None)
        )
        if self._memory is not None:
            metrics.append(self._memory.look(at_s, stable or Sample(), other))
        judgement = self._panel.look(metrics)
        if stable is None and judgement.verdict is Verdict.SAFE:
            judgement = replace(judgement, verdict=Verdict.NO_DATA, sentence=UNSEEN)
        return judgement, block


class _Latency:
    """Histograms since the last look, of both sides over the same span."""

    def __init__(self, judge: LatencyJudge) -> None:
        self._judge = judge
        self._before: tuple[Mapping[float, int], Mapping[float, int]] | None = None

    def look(self, at_s: float, stable: Sample | None, canary: Sample) -> MetricVerdict:
        if stable is None or not stable.buckets:
            return self._judge.look(at_s, None, None)
        # A canary that nobody asked yet has the edges of stable, with no request below any.
        now = _felt(stable.buckets), _felt(canary.buckets or dict.fromkeys(stable.buckets, 0))
        before, self._before = self._before, now
        if before is None:
            return self._judge.look(at_s, None, None)
        grown = [_grown(*pair) for pair in zip(before, now, strict=True)]
        if None in grown:
            return self._judge.look(at_s, None, None)
        return self._judge.look(at_s, *grown)


def _felt(buckets: Mapping[float, int]) -> Mapping[float, int]:
    return {edge: count for edge, count in buckets.items() if edge >= LEAST_EDGE_S}


def _grown(before: Mapping[float, int], now: Mapping[float, int]) -> Histogram | None:
    """Requests since the last look; None when a count fell, or edges are others: a process came or went."""
    if set(before) != set(now):
        return None
    grown = {edge: count - before[edge] for edge, count in now.items()}
    ordered = [grown[edge] for edge in sorted(grown)]
    fits = ordered == sorted(ordered) and ordered[0] >= 0 and math.inf in grown
    return Histogram(grown) if fits else None


class _Memory:
    """Readings by process; one whose memory fell is another process of the same name."""

    def __init__(self, judge: GrowthJudge) -> None:
        self._judge = judge
        self._last: dict[tuple[int, str], tuple[float, int]] = {}

    def look(self, at_s: float, stable: Sample, canary: Sample) -> MetricVerdict:
        named = [self._named(side, one.memory) for side, one in enumerate((stable, canary))]
        return self._judge.look(at_s, *named)

    def _named(self, side: int, memory: Mapping[str, float]) -> Mapping[str, float]:
        named = {}
        for process, value in memory.items():
            before, life = self._last.get((side, process), (0.0, 1))
            life += value < FELL * before
            self._last[side, process] = value, life
            named[process if life == 1 else f"{process}/{life}"] = value
        return named
