"""What stable's past says of the next block: its share of bad requests, and how bursty they are.

All of it comes from sums over past blocks, so that every bet is placed before its block is seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rollbook.judge.evariable import Floats

PRIOR_REQUESTS = 100.0
"""Requests that the guess of stable's share before any were seen is worth."""
ERROR_SHARE = 0.005
"""That guess for errors."""

SUSPECTED_RHO = 0.007
"""Correlation of bad requests within a block that is presumed before any was seen."""
SUSPICION = 5000.0
"""How firmly: in units of the sum of n p (1-p) (n-1), which is the information that blocks have on it."""
LARGEST_RHO = 0.5

BLOCKS_FOR_BURSTS = 10
BURSTS_SIGMA = 3.0


def sums(n: Floats, k: Floats) -> Floats:
    """What a block of stable, `n` requests and `k` bad ones, adds to the sums: (...) to (..., 8)."""
    some = n > 0
    inverse = np.where(some, 1.0 / np.maximum(n, 1.0), 0.0)
    return np.stack((n, k, n * n, n * k, k * k, k * k * inverse, inverse, some.astype(np.float64)), axis=-1)


def nothing(shape: tuple[int, ...] = ()) -> Floats:
    """The sums before the first block, (..., 8)."""
    return np.zeros((*shape, 8))


def stable_share(past: Floats, guess: Floats | float = ERROR_SHARE) -> Floats:
    """Stable's share of bad requests, drawn towards `guess` while there were few; within (0, 1)."""
    return np.asarray((past[..., 1] + guess * PRIOR_REQUESTS) / (past[..., 0] + PRIOR_REQUESTS))


def rho_measured(past: Floats, guess: Floats | float = ERROR_SHARE) -> Floats:
    """Correlation of bad requests within a block, by moments, from what was seen alone; 0 before it was."""
    excess, information = _moments(past, guess)
    return np.asarray(np.clip(excess / np.maximum(information, 1e-300), 0.0, 1.0))


def rho(past: Floats, guess: Floats | float = ERROR_SHARE) -> Floats:
    """The same, drawn towards what is suspected while little was seen."""
    excess, information = _moments(past, guess)
    found = (excess + SUSPICION * SUSPECTED_RHO) / (information + SUSPICION)
    return np.asarray(np.clip(found, 0.0, LARGEST_RHO))


def bursty(past: Floats, guess: Floats | float = ERROR_SHARE) -> NDArray[np.bool_]:
    """Whether bad requests of stable come in bursts beyond doubt, or its share moves.

    Pearson's statistic over blocks is their number less 1 on average for independent requests, and a block
    adds 2 + 1/v to its variance, v the bad ones expected in it (Poisson). Three standard deviations above it.
    """
    n, k, _, _, _, squares, inverse, blocks = np.moveaxis(past, -1, 0)
    p = stable_share(past, guess)
    pearson = (squares - 2.0 * p * k + p * p * n) / (p * (1.0 - p))
    deviation = np.sqrt(2.0 * blocks + inverse / (p * (1.0 - p)))
    return np.asarray((blocks >= BLOCKS_FOR_BURSTS) & (pearson > blocks - 1.0 + BURSTS_SIGMA * deviation))


def _moments(past: Floats, guess: Floats | float) -> tuple[Floats, Floats]:
    """Squares beyond what independent requests have, and what a correlation of 1 would add to them.

    (k - n p)^2 is n p (1-p) (1 + (n-1) rho) on average when k is beta-binomial. A part of both, which is
    sum(n^2)/sum(n)^2, is lost to p, for it is estimated from the same blocks: all of it where there is one.
    """
    n, _, n_n, n_k, k_k, *_ = np.moveaxis(past, -1, 0)
    p = stable_share(past, guess)
    variance = p * (1.0 - p)
    off = k_k - 2.0 * p * n_k + p * p * n_n
    left = 1.0 - n_n / np.maximum(n * n, 1.0)
    expected = variance * n * left
    return np.asarray(off - expected), np.asarray(variance * (n_n - n) * left)
