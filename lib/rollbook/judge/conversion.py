"""Judges an A/B test: which of two variants has the higher share of users that convert, at every look.

Four e-processes, each against a null hypothesis about the rates a and b of the two variants:

- `b <= a` and `a <= b`: who rejects one of them names a winner. Each has half of alpha (Bonferroni), so
  that a winner is named with probability alpha at most while both variants are alike, over all looks
  together.
- `b >= a + effect` and `a >= b + effect`: who rejects both at alpha has shown that the rates differ by
  less than the smallest effect that matters (two one-sided tests: Schuirmann, J. Pharmacokinet. Biopharm.
  15, 1987).

Each factor is the e-variable of `evariable`, for the users of one look. Wealth is bet on a grid of
effects, and the mean over the grid is a test martingale (method of mixtures: Robbins, Annals of
Mathematical Statistics 41, 1970); by Ville's inequality it exceeds 1/alpha at any look with probability
alpha at most. So an experiment may be looked at, and ended, at any time ("always valid": Johari, Pekelis
and Walsh, arXiv 1512.04922). Rates may move over time, as long as the hypothesis holds at each moment.

What is counted are users and not requests: each once, with the outcome of the first visit. Requests of one
user are not independent, and would be counted as if they were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from rollbook.errors import BadInputError
from rollbook.judge import interval, telling
from rollbook.judge.evariable import Floats, log_e
from rollbook.judge.model import check_alpha, e_from_log

LOG_ODDS = np.array([0.06, 0.12, 0.2, 0.3, 0.45, 0.7, 1.1, 1.8])
"""Log odds ratios of the winner to the other that wealth is bet on: 0.3 is 13 % to 10 %."""
WINNER_PRIOR = np.array([0.06, 0.12, 0.2, 0.24, 0.18, 0.1, 0.06, 0.04])
USED = np.array([-0.6, -0.2, 0.2, 0.6])
"""Differences that wealth is bet on when both are alike, as shares of the effect that matters."""
WITHIN_PRIOR = np.array([0.2, 0.3, 0.3, 0.2])
PRIOR_USERS = 20.0
PRIOR_RATE = 0.1
"""The guess of the common rate before users came, and how many users it is worth. It steers bets only."""
_EDGE = 1e-4


class Winner(StrEnum):
    """What can be said of two variants."""

    A = "a"
    B = "b"
    NO_DIFFERENCE = "no-difference"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class ConversionRules:
    """How an experiment is judged. BadInputError for values that cannot be.

    `alpha`: share of experiments with equal variants that may name a winner, and of those whose rates
    differ by `effect` or more that may be called alike. `effect`: smallest difference of the rates that
    matters, as a share between 0 and 1.
    """

    alpha: float = 0.05
    effect: float = 0.03

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        if not 0 < self.effect < 1:
            raise BadInputError(
                f"{self.effect:g} is no effect",
                why="it is a difference of two shares, above 0 and below 1",
                next_step="Give one such as 0.03, which is three percentage points.",
            )


@dataclass(frozen=True)
class Arm:
    """One variant: its users, those who converted, and an interval for the rate that holds at every look.

    Both variants' intervals are right together with probability 1 - alpha at least.
    """

    users: int
    conversions: int
    low: float
    high: float

    @property
    def rate(self) -> float | None:
        """Share of users who converted; None before the first user."""
        return self.conversions / self.users if self.users else None


@dataclass(frozen=True)
class Comparison:
    """What is known after a look.

    `e_a` and `e_b` are evidence now that a (b) has the higher rate, `e_within` that they differ by less
    than the effect that matters; each at most 1 on average while that is not so. `low` and `high` bound
    the rate of b less that of a. `first_s` is the look at which the verdict fell, in the caller's seconds.
    """

    verdict: Winner
    a: Arm
    b: Arm
    e_a: float
    e_b: float
    e_within: float
    low: float
    high: float
    first_s: float | None
    sentence: str


def log_factors(counts: tuple[Floats, Floats, Floats, Floats], rate: Floats, effect: float) -> Floats:
    """log e-variables of one look, of shape (..., 2, 12): first those of b over a, then those of a over b.

    `counts` are users and conversions of a, then those of b, each (...); `rate`, (...), is what is
    believed of the common rate before the look, within (0, 1). The last axis holds the grid of `LOG_ODDS`
    (the first of the two is better), then that of `USED` (it is better by less than `effect`).
    """
    n_a, k_a, n_b, k_b = (np.asarray(one, dtype=np.float64)[..., None] for one in counts)
    p = np.asarray(rate, dtype=np.float64)[..., None]
    odds = np.log(p / (1.0 - p))
    lower, upper = _expit(odds - LOG_ODDS / 2.0), _expit(odds + LOG_ODDS / 2.0)
    one = np.ones_like(p)
    alike = np.clip(p + USED * effect, _EDGE, 1.0 - _EDGE)
    found = []
    for sides in ((n_a, k_a, n_b, k_b), (n_b, k_b, n_a, k_a)):
        better = log_e(sides, lower, upper)
        within = log_e(sides, p, alike, one, effect * one)
        found.append(np.concatenate((better, within), axis=-1))
    return np.stack(found, axis=-2)


def log_evidence(parts: Floats) -> tuple[Floats, Floats]:
    """From summed factors (..., 2, 12) to log e-values: winner b and a, then within seen from each; (...,
    2)."""
    size = len(LOG_ODDS)
    winner = _log_mean(parts[..., :size], WINNER_PRIOR)
    within = _log_mean(parts[..., size:], WITHIN_PRIOR)
    return winner, within


def believed(users: Floats, conversions: Floats) -> Floats:
    """The common rate by the users so far, drawn to a guess while they are few."""
    return np.asarray((conversions + PRIOR_RATE * PRIOR_USERS) / (users + PRIOR_USERS))


class ConversionJudge:
    """Takes users of both variants, one look after the other. A verdict that fell stays."""

    def __init__(self, rules: ConversionRules) -> None:
        self.rules = rules
        self._parts = np.zeros((2, len(LOG_ODDS) + len(USED)))
        self._counts = np.zeros(4)
        self._winner = np.zeros(2)
        self._within = np.zeros(2)
        self._within_top = np.zeros(2)
        self._verdict = Winner.UNDECIDED
        self._first_s: float | None = None

    def look(self, at_s: float, a: tuple[int, int], b: tuple[int, int]) -> Comparison:
        """What is known after `a` and `b`: users since the last look, and how many of them converted.

        BadInputError when a count is negative, or more convert than there are.
        """
        for users, conversions in (a, b):
            if not 0 <= conversions <= users:
                raise BadInputError(f"{conversions} of {users} users cannot have converted")
        counts = np.array([*a, *b], dtype=np.float64)
        users, conversions = self._counts[[0, 2]].sum(), self._counts[[1, 3]].sum()
        rate = believed(users, conversions)
        self._parts += log_factors((counts[0], counts[1], counts[2], counts[3]), rate, self.rules.effect)
        self._counts += counts
        self._winner, self._within = log_evidence(self._parts)
        self._within_top = np.maximum(self._within_top, self._within)
        if self._verdict is Winner.UNDECIDED:
            self._verdict = self._decided()
            self._first_s = None if self._verdict is Winner.UNDECIDED else at_s
        return self._told()

    def _decided(self) -> Winner:
        alpha = self.rules.alpha
        if self._winner.max() >= math.log(2.0 / alpha):
            return Winner.B if self._winner[0] > self._winner[1] else Winner.A
        if self._within_top.min() >= math.log(1.0 / alpha):
            return Winner.NO_DIFFERENCE
        return Winner.UNDECIDED

    def _told(self) -> Comparison:
        alpha = np.array([self.rules.alpha])
        low, high = interval.share(self._counts[0::2], self._counts[1::2], np.repeat(alpha / 2.0, 2))
        between = interval.difference(self._counts[None, :], alpha)
        n_a, k_a, n_b, k_b = (int(one) for one in self._counts)
        a = Arm(n_a, k_a, float(low[0]), float(high[0]))
        b = Arm(n_b, k_b, float(low[1]), float(high[1]))
        return Comparison(
            verdict=self._verdict,
            a=a,
            b=b,
            e_a=e_from_log(float(self._winner[1])),
            e_b=e_from_log(float(self._winner[0])),
            e_within=e_from_log(float(self._within.min())),
            low=float(between[0][0]),
            high=float(between[1][0]),
            first_s=self._first_s,
            sentence=sentence(self._verdict, a, b, self.rules),
        )


def sentence(verdict: Winner, a: Arm, b: Arm, rules: ConversionRules) -> str:
    """What was counted, and what follows from it, for somebody tired."""
    if not a.users or not b.users:
        missing = " and ".join(name for name, arm in (("a", a), ("b", b)) if not arm.users)
        return f"Nothing can be said: no user of {missing} was counted."
    counted = (
        f"{telling.of(b.conversions, b.users)} users of b converted, and "
        f"{telling.of(a.conversions, a.users)} of a"
    )
    least = telling.distance(rules.effect)
    if verdict in {Winner.A, Winner.B}:
        other = "a" if verdict is Winner.B else "b"
        return (
            f"{verdict.value} converts more users than {other}: {counted}; with equal variants "
            f"{telling.share(rules.alpha)} of experiments name a winner at most."
        )
    if verdict is Winner.NO_DIFFERENCE:
        return f"The variants differ by less than {least}: {counted}."
    return (
        f"Too little is known to name a winner, or to say that they differ by less than {least}: {counted}."
    )


def _expit(x: Floats) -> Floats:
    return np.asarray(np.clip(1.0 / (1.0 + np.exp(-x)), _EDGE, 1.0 - _EDGE))


def _log_mean(logs: Floats, prior: Floats) -> Floats:
    """log of the mean of e-values over the grid, the last axis."""
    top = logs.max(axis=-1, keepdims=True)
    return np.asarray(np.log((prior * np.exp(logs - top)).sum(axis=-1)) + top[..., 0])
