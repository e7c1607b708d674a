"""Intervals that hold at every look: confidence sequences for one share, and for the difference of two."""

from __future__ import annotations

import math

import numpy as np

from rollbook.judge.evariable import Floats

_HALVINGS = 44
_A = 0.5
"""Jeffreys' prior, Beta(1/2, 1/2), is what likelihoods are mixed over."""


def share(n: Floats, k: Floats, alpha: Floats) -> tuple[Floats, Floats]:
    """Intervals for shares of `k` in `n` that miss the truth at any look with probability `alpha` at most.

    All p with p^k (1-p)^(n-k) >= alpha B(k + 1/2, n - k + 1/2)/B(1/2, 1/2): the mixture of likelihoods over
    p is a test martingale against each single p (Robbins, Annals of Mathematical Statistics 41, 1970;
    "beta-binomial mixture" in Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49, 2021). `n` and
    `k`, of one shape, may be fractions: likelihoods of blocks raised to powers that were fixed before. (0,
    1) where n is 0.
    """
    k = np.clip(k, 0.0, n)
    good = n - k
    least = np.log(alpha) + _log_beta(k + _A, good + _A) - math.log(math.pi)
    best = np.where(n > 0, k / np.where(n > 0, n, 1.0), 0.5)

    def inside(p: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            bad_part = np.where(k > 0, k * np.log(p), 0.0)
            good_part = np.where(good > 0, good * np.log1p(-p), 0.0)
        return np.asarray(bad_part + good_part >= least)

    # Both ends at once: the first row runs down to 0, the second up to 1.
    end = np.stack((np.zeros_like(best), np.ones_like(best)))
    within, beyond = np.stack((best, best)), end
    for _ in range(_HALVINGS):
        middle = (within + beyond) / 2.0
        good_one = inside(middle)
        within, beyond = np.where(good_one, middle, within), np.where(good_one, beyond, middle)
    found = np.where(inside(end), end, beyond)
    return found[0], found[1]


def difference(effective: Floats, alpha: Floats) -> tuple[Floats, Floats]:
    """Intervals for canary's share less stable's: each side's own at alpha/2, and the ends that are farthest.

    `effective`, (M, 4), is n and k of stable, n and k of the canary; `alpha`, (M,).
    """
    half = np.stack((alpha, alpha), axis=1) / 2.0
    low, high = share(effective[:, 0::2], effective[:, 1::2], half)
    return low[:, 1] - high[:, 0], high[:, 1] - low[:, 0]


def _log_beta(a: Floats, b: Floats) -> Floats:
    pairs = zip(a.ravel(), b.ravel(), strict=True)
    values = [math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y) for x, y in pairs]
    return np.array(values, dtype=np.float64).reshape(a.shape)
