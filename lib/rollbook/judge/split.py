"""Is traffic split as it was set? A sequential multinomial test of the canary's share of requests.

Lindon and Malek, "Anytime-Valid Inference For Multinomial Count Data" (arXiv 2011.03567): the likelihood of
the counts under the weights that were set, against their likelihood with weights mixed over a Dirichlet
prior. With two sides that is a Beta. Where weights change over time, what follows is another stretch with a
prior of its own around the new weight; the product over stretches is a test martingale still, since each
prior is fixed before its stretch. What earlier stretches taught goes along as an odds ratio: who got double
the odds of 10 % is expected to get double those of 20 %.
"""

from __future__ import annotations

import math

import numpy as np

from rollbook.errors import BadInputError
from rollbook.judge import interval, telling
from rollbook.judge.model import Block, Effect, MetricVerdict, Verdict, Window, check_alpha, e_from_log

CONCENTRATION = 100.0
"""Requests that the prior of a stretch is worth."""


class SplitJudge:
    """Takes requests of both sides, and the canary's weight that was in force while they came.

    `alpha` is the rate of false alarms over all looks; `tolerance` how far the share may be off and still
    be called safe. Requests are taken to be assigned independently: sessions that stick to a version are
    not, and alarm more often.
    """

    def __init__(
        self, name: str = "split", alpha: float = 0.01, tolerance: float = 0.02, query: str = ""
    ) -> None:
        if not 0 < tolerance < 1:
            raise BadInputError(f"{tolerance:g} is no tolerance", why="it is a share of requests, above 0")
        self.name, self.alpha, self.tolerance, self.query = name, check_alpha(alpha), tolerance, query
        self._weight: float | None = None
        self._prior = (0.0, 0.0)
        self._stretch = (0, 0)
        self._stretches = 0
        self._all, self._expected = (0, 0), (0.0, 0.0)
        self._log_e = self._log_top = 0.0
        self._window: Window | None = None
        self._first: tuple[float | None, float | None] = (None, None)
        self._skipped = 0

    def look(self, at_s: float, stable: int, canary: int, weight: float | None) -> MetricVerdict:
        """The verdict after requests since the last look; `weight`, 0 to 1, is what the canary was to get.

        A weight of None, for a look in which it changed, and weights of 0 and 1, at which nothing is split,
        compare nothing. BadInputError for counts below 0 and weights beyond 0 and 1.
        """
        if stable < 0 or canary < 0 or (weight is not None and not 0 <= weight <= 1):
            raise BadInputError(f"{stable} and {canary} requests at weight {weight} cannot be")
        self._window = Window(self._window.begins_s if self._window else at_s, at_s)
        if weight is None or weight in {0, 1}:
            self._skipped += stable + canary
        elif stable + canary:
            self._learn(stable, canary, float(weight))
        return self._told(at_s)

    def _learn(self, stable: int, canary: int, weight: float) -> None:
        if weight != self._weight:
            self._weight, self._stretch = weight, (0, 0)
            self._stretches += 1
            share = self._believed(weight)
            self._prior = (CONCENTRATION * (1.0 - share), CONCENTRATION * share)
        before = tuple(prior + seen for prior, seen in zip(self._prior, self._stretch, strict=True))
        after = (before[0] + stable, before[1] + canary)
        self._log_e += _log_beta(*after) - _log_beta(before[0], before[1])
        self._log_e -= stable * math.log1p(-weight) + canary * math.log(weight)
        self._log_top = max(self._log_top, self._log_e)
        self._stretch = (self._stretch[0] + stable, self._stretch[1] + canary)
        self._all = (self._all[0] + stable, self._all[1] + canary)
        total = stable + canary
        self._expected = (self._expected[0] + total * (1.0 - weight), self._expected[1] + total * weight)

    def _believed(self, weight: float) -> float:
        """The share to expect at `weight`, by the odds ratio of what was counted to what was set."""
        spare = CONCENTRATION * (1.0 - weight), CONCENTRATION * weight
        seen = (self._all[1] + spare[1]) / (self._all[0] + spare[0])
        expected = (self._expected[1] + spare[1]) / (self._expected[0] + spare[0])
        odds = weight / (1.0 - weight) * seen / expected
        return odds / (1.0 + odds)

    def _told(self, at_s: float) -> MetricVerdict:
        effect = self._effect()
        shown = self._log_top >= -math.log(self.alpha)
        within = effect is not None and max(-effect.low, effect.high) <= self.tolerance
        self._first = (
            at_s if shown and self._first[0] is None else self._first[0],
            at_s if within and self._first[1] is None else self._first[1],
        )
        verdict = Verdict.UNDECIDED
        if effect is None:
            verdict = Verdict.NO_DATA
        elif shown:
            verdict = Verdict.HARMFUL
        elif within:
            verdict = Verdict.SAFE
        return MetricVerdict(
            name=self.name,
            verdict=verdict,
            alpha=self.alpha,
            e_value=e_from_log(self._log_e),
            p_value=min(1.0, e_from_log(-self._log_top)),
            e_safe=None,
            p_safe=None,
            effect=effect,
            counts=Block(stable_total=self._all[0], canary_total=self._all[1]),
            window=self._window,
            query=self.query,
            warnings=(f"{self._skipped:,} requests came while nothing was split, or weights changed.",)
            if self._skipped
            else (),
            sentence=self._sentence(verdict, effect),
            first_harmful_s=self._first[0],
            first_safe_s=self._first[1],
        )

    def _effect(self) -> Effect | None:
        """Canary's share since the weight last changed, less the weight.

        Stretch j has alpha/(j (j + 1)) of the intervals' alpha, which sums to alpha over all stretches.
        """
        total = sum(self._stretch)
        if self._weight is None or not total:
            return None
        alpha = self.alpha / (self._stretches * (self._stretches + 1))
        low, high = interval.share(np.array(float(total)), np.array(float(self._stretch[1])), np.array(alpha))
        value = self._stretch[1] / total - self._weight
        return Effect(value, float(low) - self._weight, float(high) - self._weight, 1.0 - self.alpha, "share")

    def _sentence(self, verdict: Verdict, effect: Effect | None) -> str:
        if effect is None or self._weight is None:
            return "Nothing can be said: no request was counted while traffic was split."
        expected = self._expected[1] / sum(self._expected)
        counted = (
            f"the canary got {telling.of(self._all[1], sum(self._all))} of the requests, "
            f"where {telling.share(expected)} were set"
        )
        if verdict is Verdict.HARMFUL:
            return f"Traffic is not split as it was set: {counted}."
        if verdict is Verdict.SAFE:
            return f"Traffic is split as it was set, within {telling.distance(self.tolerance)}: {counted}."
        return f"Too little is known of the split: {counted}."


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
