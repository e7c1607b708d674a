"""Judges shares of bad requests, canary against stable, at every look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rollbook.judge import beliefs, interval, telling
from rollbook.judge.model import Block, Effect, MetricVerdict, Verdict, Window, e_from_log
from rollbook.judge.standing import VERDICTS, RateMetric, Rules, Standing, advance, verdicts

SILENT_LOOKS = 3
"""Looks without a request of one side after which the verdict says that it is old."""


class RatesJudge:
    """Takes requests one look after the other: at any time, as often as one likes, at the same cost each.

    Several metrics are judged in one go; each on its own, at its own alpha. `panel` combines them.
    """

    def __init__(self, metrics: Sequence[RateMetric]) -> None:
        self.metrics = tuple(metrics)
        self._rules = Rules.of(self.metrics)
        self._standing = Standing.start(len(self.metrics))
        self._begins_s: float | None = None

    def look(self, at_s: float, blocks: Sequence[Block | None]) -> tuple[MetricVerdict, ...]:
        """The verdicts after `blocks`, requests since the last look, one a metric; None for a missing
        scrape."""
        counts = np.array([[as_counts(one or Block()) for one in blocks]], dtype=np.float64)
        at = np.array([at_s], dtype=np.float64)
        self._standing = advance(self._rules, self._standing, at, counts).standing
        self._begins_s = at_s if self._begins_s is None else self._begins_s
        return told(self.metrics, self._standing, Window(self._begins_s, at_s))


class RateJudge:
    """The same for a single metric."""

    def __init__(self, metric: RateMetric) -> None:
        self._judge = RatesJudge((metric,))

    def look(self, at_s: float, block: Block | None) -> MetricVerdict:
        """The verdict after `block`, the requests since the last look; None for a scrape that is missing."""
        return self._judge.look(at_s, (block,))[0]


def as_counts(block: Block) -> tuple[int, int, int, int]:
    """A block as a row of counts."""
    return block.stable_total, block.stable_errors, block.canary_total, block.canary_errors


def told(
    metrics: Sequence[RateMetric], standing: Standing, window: Window | None
) -> tuple[MetricVerdict, ...]:
    """The verdicts with everything that they rest on, one a metric."""
    alpha = np.array([one.alpha for one in metrics])
    found = verdicts(standing.totals, standing.log_e, standing.log_top, alpha)
    low, high = interval.difference(standing.effective, alpha)
    guess = np.array([one.guess for one in metrics])
    bursty = beliefs.bursty(standing.past, guess)
    rho = beliefs.rho_measured(standing.past, guess)
    said = []
    for row, metric in enumerate(metrics):
        figures = _Figures(
            Block(*(int(one) for one in standing.totals[row])),
            VERDICTS[found[row]],
            (float(low[row]), float(high[row])),
            float(rho[row]) if bursty[row] else None,
            float(standing.power[row]),
            int(standing.silent[row]),
            bool(standing.compared[row]),
        )
        effect, fits = _effect(metric, figures)
        log_e, log_top = standing.log_e[row], standing.log_top[row]
        said.append(
            MetricVerdict(
                name=metric.name,
                verdict=figures.verdict,
                alpha=metric.alpha,
                e_value=e_from_log(float(log_e[0])),
                p_value=min(1.0, e_from_log(-float(log_top[0]))),
                e_safe=e_from_log(float(log_e[1])),
                p_safe=min(1.0, e_from_log(-float(log_top[1]))),
                effect=effect,
                counts=figures.counts,
                window=window,
                query=metric.query,
                warnings=_warnings(figures, fits),
                sentence=telling.rate_sentence(
                    figures.verdict, figures.counts, effect, metric.margin, metric.what, metric.alpha
                ),
                first_harmful_s=_moment(standing.first[row, 0]),
                first_safe_s=_moment(standing.first[row, 1]),
            )
        )
    return tuple(said)


@dataclass(frozen=True)
class _Figures:
    """One metric's, as plain numbers."""

    counts: Block
    verdict: Verdict
    span: tuple[float, float]
    bursts: float | None
    power: float
    silent: int
    compared: bool


def _effect(metric: RateMetric, figures: _Figures) -> tuple[Effect | None, bool]:
    """The difference with its interval, and whether the interval fits what else is known.

    `span` is an interval at alpha. When it was shown at alpha that the canary is worse, the difference is
    above 0; when it was shown safe, below the margin. At most one of the two null hypotheses is true, so
    that the interval cut so misses with probability 2 alpha at most. It does not fit when the difference
    that was counted is outside: rates have then changed on the way, and `span` is returned.
    """
    counts, (low, high) = figures.counts, figures.span
    if figures.verdict is Verdict.NO_DATA:
        return None, True
    value = counts.canary_errors / counts.canary_total - counts.stable_errors / counts.stable_total
    if figures.verdict is Verdict.HARMFUL:
        low = max(low, 0.0)
    elif figures.verdict is Verdict.SAFE and not metric.margin.relative:
        high = min(high, metric.margin.value)
    fits = low <= value <= high
    if not fits:
        low, high = figures.span
    return Effect(value, low, high, 1.0 - 2.0 * metric.alpha, "share"), fits


def _warnings(figures: _Figures, fits: bool) -> tuple[str, ...]:
    """What a reader should know before believing the verdict."""
    said = []
    if figures.bursts is not None:
        said.append(
            "Stable's bad requests come in bursts, or its rate moves "
            f"(correlation {figures.bursts:.2g} within a look). Evidence is raised to the power "
            f"{figures.power:.2g} for it; alpha then holds nearly, and is not proved."
        )
    if not fits:
        said.append(
            "The difference counted is outside the interval: rates have changed on the way. The verdict, "
            "which compares look by look, holds; the interval does not."
        )
    if figures.silent >= SILENT_LOOKS and figures.compared:
        said.append(f"The last {figures.silent} looks had no requests of one side: the verdict is of before.")
    if figures.counts.stable_total and figures.counts.stable_errors == figures.counts.stable_total:
        said.append("Every request of stable was bad: there is nothing good to compare with.")
    return tuple(said)


def _moment(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
