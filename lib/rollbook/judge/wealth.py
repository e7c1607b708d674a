"""From e-variables of blocks to an e-process: wealth that is bet on several effects at once.

Wealth is spread over a grid of effects and over "no effect", which neither wins nor loses. After each block
every part is multiplied by its e-variable, and a small share of all is dealt out anew (fixed share:
Herbster and Warmuth, Machine Learning 32, 1998). Each block's factor is so a mean of e-variables with
weights that were fixed before the block. It is an e-variable itself, and the product a test
supermartingale: by Ville's inequality it exceeds 1/alpha at any look with probability alpha at most, while
the null hypothesis holds.

Why share: a canary that was healthy for an hour and then breaks has lost its bets by then. What is dealt anew
is 1/(t + 30) after block t. So wealth falls no faster than about 1/t, and a late fault has to make up for two
logarithms of t, instead of all that was lost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rollbook.judge.evariable import Floats, log_e

HARM_EFFECTS = np.array([0.005, 0.015, 0.035, 0.055, 0.1, 0.2, 0.4, 0.7])
"""Share of the requests that stable would answer well, which the canary answers badly."""
HARM_PRIOR = np.array([0.02, *(0.98 * np.array([0.03, 0.05, 0.3, 0.3, 0.14, 0.1, 0.05, 0.03]))])
SAFE_EFFECTS = np.array([-0.9, -0.5, -0.2, 0.0, 0.1, 0.25, 0.4, 0.6])
"""Below 0: share of stable's bad requests that the canary lacks. Above: share of the margin that it uses."""
SAFE_PRIOR = np.array([0.02, *(0.98 * np.array([0.05, 0.1, 0.15, 0.3, 0.15, 0.15, 0.05, 0.05]))])
PRIOR = np.stack([HARM_PRIOR, SAFE_PRIOR])
"""Wealth before the first block: harm and safe, each on no effect and on the grid; (2, 1 + G)."""
SHARE_AFTER = 30.0


def log_factors(
    counts: tuple[Floats, Floats, Floats, Floats],
    stable: Floats,
    rho: Floats,
    slope: Floats | float,
    shift: Floats | float,
) -> Floats:
    """log e-variables of blocks, harm and safe, "no effect" first: shape (..., 2, 1 + G).

    `counts` are n_s, k_s, n_c, k_c, `stable` and `rho` what is believed of stable's share and of
    correlation before the block, `slope` and `shift` the border of safe, canary = slope x stable + shift;
    all of shape (...).

    Factors are raised to a power <= 1, `tempering`, which is fixed before the block. So they stay e-variables
    (Jensen's inequality), and bursts, which independent requests would not have, count for less.
    """
    n_s, k_s, n_c, k_c = (one[..., None] for one in counts)
    wide = (n_s, k_s, n_c, k_c)
    s = stable[..., None]
    slopes = np.broadcast_to(slope, stable.shape)[..., None]
    shifts = np.broadcast_to(shift, stable.shape)[..., None]
    limit = np.minimum(slopes * s + shifts, 1.0)
    worse = s + HARM_EFFECTS * (1.0 - s)
    within = np.where(SAFE_EFFECTS < 0.0, s * (1.0 + SAFE_EFFECTS), s + SAFE_EFFECTS * (limit - s))
    power = tempering(counts[0], counts[2], rho)[..., None]
    factors = np.zeros((*stable.shape, 2, 1 + len(HARM_EFFECTS)))
    factors[..., 0, 1:] = power * log_e(wide, s, worse)
    factors[..., 1, 1:] = power * log_e(wide, s, within, slopes, shifts)
    return factors


def tempering(n_s: Floats, n_c: Floats, rho: Floats) -> Floats:
    """Power between 0 and 1 that evidence of a block is raised to, when its requests are correlated by `rho`.

    The variance of the difference of two shares grows by 1 + x, x = rho (2 n_s n_c/(n_s + n_c) - 1), when
    both counts are beta-binomial (design effect: Kish, Survey Sampling, 1965). A rate that is distributed so
    has a heavier tail than its variance says, the more so the larger x is. 1/(1 + x/2 + 2 x min(x, 1)) was
    chosen by simulation: 1/(1 + x) alarmed too often at 100 requests a second, and was slower at 20. However
    many requests a block has, it so counts like 1/(5 rho) of them at least.
    """
    x = rho * np.maximum(2.0 * n_s * n_c / np.maximum(n_s + n_c, 1.0) - 1.0, 0.0)
    power: Floats = 1.0 / (1.0 + 0.5 * x + 2.0 * x * np.minimum(x, 1.0))
    return power


def log_wealth(
    factors: Floats, compared: NDArray[np.bool_], parts: Floats = PRIOR, done: Floats | int = 0
) -> tuple[Floats, Floats]:
    """log of what wealth has grown by after each of T blocks, (T, ..., 2), and its parts after the last.

    `factors` are those of the blocks, (T, ..., 2, 1 + G); `compared`, (T, ...), says which of them had
    requests of both sides; `parts` is where wealth is before them, and `done` how many blocks were compared
    until then.
    """
    number = done + np.cumsum(compared, axis=0) - compared
    shares = np.where(compared, 1.0 / (number + SHARE_AFTER), 0.0)[..., None, None]
    top = factors.max(axis=-1, keepdims=True)
    relative = np.exp(factors - top)
    fresh = shares * PRIOR
    grown_by = np.empty(factors.shape[:-1])
    parts = np.broadcast_to(parts, factors.shape[1:])
    for block in range(len(factors)):
        grown = parts * relative[block]
        total = grown.sum(axis=-1, keepdims=True)
        grown_by[block] = total[..., 0]
        parts = grown * ((1.0 - shares[block]) / total) + fresh[block]
    growth = np.log(grown_by) + top[..., 0]
    return np.asarray(np.cumsum(growth, axis=0)), np.asarray(parts)
