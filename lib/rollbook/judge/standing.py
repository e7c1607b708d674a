"""Where metrics stand after a look, and how a look, or a day of them, takes them further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rollbook.judge import beliefs
from rollbook.judge.evariable import Floats
from rollbook.judge.model import Margin, Verdict, check_alpha
from rollbook.judge.wealth import PRIOR, log_factors, log_wealth, tempering

VERDICTS = tuple(Verdict)


@dataclass(frozen=True)
class RateMetric:
    """A share of bad requests: how it is called, judged and told.

    `alpha` is the rate of false alarms over all looks, and of being called safe without being so; `guess` is
    what stable's share may be before any was seen. `what` a bad request did, and `query`, are for the reader.
    BadInputError unless `alpha` is a rate of false alarms.
    """

    name: str = "errors"
    alpha: float = 0.01
    margin: Margin = Margin(0.01)  # noqa: RUF009 - frozen
    what: str = "failed"
    guess: float = beliefs.ERROR_SHARE
    query: str = ""

    def __post_init__(self) -> None:
        check_alpha(self.alpha)


@dataclass(frozen=True)
class Rules:
    """What is needed of M metrics to count: arrays of shape (M,)."""

    alpha: Floats
    guess: Floats
    slope: Floats
    shift: Floats

    @classmethod
    def of(cls, metrics: Sequence[RateMetric]) -> Rules:
        """The rules of `metrics`, in their order."""
        return cls(
            np.array([one.alpha for one in metrics]),
            np.array([one.guess for one in metrics]),
            np.array([one.margin.slope for one in metrics]),
            np.array([one.margin.shift for one in metrics]),
        )


@dataclass(frozen=True)
class Standing:
    """Where M metrics stand after a look.

    totals (M, 4)       requests and bad ones of stable, and of the canary
    log_e, log_top      (M, 2), logs of the e-values now and at their highest: harm, safe
    effective (M, 4)    totals, each block with the weight that bursts leave it
    parts (M, 2, 1 + G) where wealth is
    past (M, 8)         the sums of `beliefs`
    power (M,)          what the last block's evidence was raised to
    compared, silent    (M,), looks that had requests of both sides, and looks since the last of them
    first (M, 2)        the caller's seconds at which harm, safe were shown first; NaN before
    """

    totals: Floats
    log_e: Floats
    log_top: Floats
    effective: Floats
    parts: Floats
    past: Floats
    power: Floats
    compared: Floats
    silent: Floats
    first: Floats

    @classmethod
    def start(cls, metrics: int) -> Standing:
        """Before the first look of as many metrics."""
        pairs, fours, one = np.zeros((metrics, 2)), np.zeros((metrics, 4)), np.zeros(metrics)
        parts = np.broadcast_to(PRIOR, (metrics, *PRIOR.shape))
        past = beliefs.nothing((metrics,))
        return cls(fours, pairs, pairs, fours, parts, past, one + 1.0, one, one, np.full_like(pairs, np.nan))


@dataclass(frozen=True)
class Trace:
    """What T looks at M metrics said: totals, (T, M, 4), log e-values now and highest so far, (T, M, 2)."""

    at_s: Floats
    totals: Floats
    log_e: Floats
    log_top: Floats
    standing: Standing

    def verdicts(self, alpha: Floats) -> NDArray[np.int_]:
        """The verdict of each metric after each look, (T, M), by its place in `VERDICTS`."""
        return verdicts(self.totals, self.log_e, self.log_top, alpha)


def verdicts(totals: Floats, log_e: Floats, log_top: Floats, alpha: Floats) -> NDArray[np.int_]:
    """Harmful once that was shown at any look; safe while it is shown; no-data until both sides count."""
    bound = -np.log(alpha)
    chosen = np.where(log_e[..., 1] >= bound, VERDICTS.index(Verdict.SAFE), VERDICTS.index(Verdict.UNDECIDED))
    chosen[log_top[..., 0] >= bound] = VERDICTS.index(Verdict.HARMFUL)
    chosen[(totals[..., 0] == 0) | (totals[..., 2] == 0)] = VERDICTS.index(Verdict.NO_DATA)
    return chosen


def advance(rules: Rules, before: Standing, at_s: Floats, counts: Floats) -> Trace:
    """Look T times, at `at_s`, (T,), in the caller's seconds, at requests since the last look.

    `counts`, (T, M, 4), has them in the order of a Block's fields. Whatever a block is judged by is known
    before it: one look at a time or a day of them at once, the figures are the same.
    """
    n_s, k_s, n_c, k_c = np.moveaxis(counts, -1, 0)
    added = beliefs.sums(n_s, k_s)
    past = before.past + np.cumsum(added, axis=0) - added
    rho = beliefs.rho(past, rules.guess)
    share = beliefs.stable_share(past, rules.guess)
    factors = log_factors((n_s, k_s, n_c, k_c), share, rho, rules.slope, rules.shift)
    compared = (n_s > 0) & (n_c > 0)
    growth, parts = log_wealth(factors, compared, before.parts, before.compared)
    log_e = before.log_e + growth
    log_top = np.maximum(np.maximum.accumulate(log_e, axis=0), before.log_top)
    totals = before.totals + np.cumsum(counts, axis=0)
    bound = -np.log(rules.alpha)[:, None]
    shown = np.stack((log_top[..., 0], log_e[..., 1]), axis=-1) >= bound
    ever = shown.any(axis=0)
    earliest = np.where(ever, at_s[shown.argmax(axis=0)], np.nan)
    rows = np.arange(len(counts))[:, None]
    last = np.where(compared, rows, -1).max(axis=0)
    power = np.take_along_axis(tempering(n_s, n_c, rho), np.maximum(last, 0)[None], axis=0)[0]
    weights = np.stack((_arm_weight(n_s, rho),) * 2 + (_arm_weight(n_c, rho),) * 2, axis=-1)
    standing = Standing(
        totals=totals[-1],
        log_e=log_e[-1],
        log_top=log_top[-1],
        effective=before.effective + (counts * weights).sum(axis=0),
        parts=parts,
        past=past[-1] + added[-1],
        power=np.where(last >= 0, power, before.power),
        compared=before.compared + compared.sum(axis=0),
        silent=np.where(last >= 0, len(counts) - 1 - last, before.silent + len(counts)),
        first=np.where(np.isnan(before.first), earliest, before.first),
    )
    return Trace(at_s, totals, log_e, log_top, standing)


def _arm_weight(n: Floats, rho: Floats) -> Floats:
    """What share of a block's requests counts for an interval: 1 over the design effect (Kish, 1965)."""
    return np.asarray(1.0 / (1.0 + rho * np.maximum(n - 1.0, 0.0)))
