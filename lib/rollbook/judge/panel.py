"""Several metrics, one verdict: alpha is shared between them by weights that are written down beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rollbook.errors import BadInputError
from rollbook.judge.model import Judgement, MetricVerdict, Verdict, check_alpha, e_from_log


def split_alpha(alpha: float, weights: Mapping[str, float]) -> dict[str, float]:
    """Each metric's alpha: its part of the whole by weight (Bonferroni, weighted); they sum to `alpha`.

    BadInputError for weights that are not above 0, or none at all.
    """
    check_alpha(alpha)
    if not weights or not all(weight > 0 and math.isfinite(weight) for weight in weights.values()):
        raise BadInputError("weights of metrics must be above 0", next_step="Leave out what does not decide.")
    whole = sum(weights.values())
    return {name: alpha * weight / whole for name, weight in weights.items()}


class Panel:
    """Combines what judges say at each look.

    A metric in `weights` decides, and was given its part of `alpha` by `split_alpha`. Others warn: when one
    is harmful, the canary is not called safe, and no more.

    Harmful: a deciding metric is harmful, or the mean of e-values, weighted, has reached 1/alpha at any
    look. Metrics may depend on each other in any way, since a mean of e-values is one (Vovk and Wang,
    Annals of Statistics 49, 2021). A metric judged without an e-value counts as 0 in the mean, and by its
    own alpha. The rate of false alarms is alpha in all.

    Safe: all that decide are safe, each at a level of its own, and none that warns is harmful. To call a
    canary safe that is not, one of them must be wrong, so nothing has to be shared (intersection-union
    test: Berger, Technometrics 24, 1982).
    """

    def __init__(self, alpha: float, weights: Mapping[str, float]) -> None:
        self.alpha = check_alpha(alpha)
        self.alphas = split_alpha(alpha, weights)
        self._log_top = 0.0
        self._harmful = False

    def look(self, metrics: Sequence[MetricVerdict]) -> Judgement:
        """The verdict in all. BadInputError when a deciding metric is missing, or judged by more than its
        part."""
        deciding = {one.name: one for one in metrics if one.name in self.alphas}
        for name, alpha in self.alphas.items():
            if name not in deciding:
                raise BadInputError(f"the metric {name} was not judged", why="it is one of those that decide")
            if deciding[name].alpha > alpha * (1 + 1e-9):
                raise BadInputError(
                    f"{name} was judged at alpha {deciding[name].alpha:g}", why=f"its part is {alpha:g}"
                )
        mean = sum(
            alpha / self.alpha * (deciding[name].e_value or 0.0) for name, alpha in self.alphas.items()
        )
        log_e = math.log(mean) if mean > 0 else -math.inf
        self._log_top = max(self._log_top, log_e)
        verdict = self._verdict(list(deciding.values()), metrics)
        return Judgement(
            verdict=verdict,
            alpha=self.alpha,
            e_value=mean,
            p_value=min(1.0, e_from_log(-self._log_top)),
            metrics=tuple(metrics),
            sentence=_sentence(verdict, deciding, metrics),
        )

    def _verdict(self, deciding: Sequence[MetricVerdict], metrics: Sequence[MetricVerdict]) -> Verdict:
        said = {one.verdict for one in deciding}
        self._harmful = self._harmful or Verdict.HARMFUL in said or self._log_top >= -math.log(self.alpha)
        if self._harmful:
            return Verdict.HARMFUL
        if said == {Verdict.NO_DATA}:
            return Verdict.NO_DATA
        objected = any(one.verdict is Verdict.HARMFUL for one in metrics)
        return Verdict.SAFE if said == {Verdict.SAFE} and not objected else Verdict.UNDECIDED


def _sentence(
    verdict: Verdict, deciding: Mapping[str, MetricVerdict], metrics: Sequence[MetricVerdict]
) -> str:
    """What decides it, in words of the metric that does."""
    named = {state: [one.name for one in metrics if one.verdict is state] for state in Verdict}
    if verdict is Verdict.HARMFUL:
        proved = [one for one in deciding.values() if one.verdict is Verdict.HARMFUL]
        worst = max(proved or deciding.values(), key=lambda one: one.e_value or 0.0)
        together = "" if proved else "No metric alone shows it, all of them together do. Most of it: "
        return f"{together}{worst.name}: {worst.sentence}"
    if verdict is Verdict.SAFE:
        return f"Safe by {', '.join(deciding)}."
    if verdict is Verdict.NO_DATA:
        return "Nothing can be said: no metric has requests of both sides."
    waits = [
        f"{', '.join(named[state])} {state.value}"
        for state in (Verdict.HARMFUL, Verdict.UNDECIDED, Verdict.NO_DATA)
        if named[state]
    ]
    return f"Too little is known to decide: {'; '.join(waits)}."
