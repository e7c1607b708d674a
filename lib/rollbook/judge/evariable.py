"""The e-variable of one block: two counts of bad requests, compared on the border of the null hypothesis.

A block has n_s requests of stable, k_s of them bad, and n_c, k_c of the canary. For a point (s0, c0) and one
alternative (s1, c1),

    E = (c1/c0)^k_c ((1-c1)/(1-c0))^(n_c-k_c) (s1/s0)^k_s ((1-s1)/(1-s0))^(n_s-k_s)

which is the e-variable of Turner, Ly and Grunwald (arXiv 2106.02693), and for borders other than s = c that
of Turner and Grunwald (arXiv 2203.09785), when (s0, c0) is the point of the null hypothesis that is nearest
to the alternative in Kullback-Leibler divergence.

Here c1 is chosen, then a point (s0, c0) of the border c = rho s + m near that projection, and then s1 such
that (s0, c0) *is* the projection:

    n_s (s1 - s0)/(s0 (1-s0)) = -rho n_c (c1 - c0)/(c0 (1-c0))                                            (1)

So E is valid however roughly the point was searched. Proof, for requests that are independent given the past,
with mean probabilities s and c in the block, which may be another in each block: by Jensen's inequality
log E[E] <= n log(1 + [n_c l_c (c-c0) + n_s l_s (s-s0)]/n), n = n_s + n_c, with l_c = (c1-c0)/(c0(1-c0)) and
l_s alike. With (1) the bracket is n_c l_c (c - rho s - m), which is <= 0 for all (s, c) on the other side
of the border than c1. Hence E[E] <= 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDS = 3
_SMALLEST = 1e-9


def log_e(
    counts: tuple[Floats, Floats, Floats, Floats],
    stable: Floats,
    canary: Floats,
    slope: Floats | None = None,
    shift: Floats | None = None,
) -> Floats:
    """log E for alternatives `canary` (c1), shape (..., G), next to a border; s = c where none is given.

    The border is c = slope s + shift. `counts` are n_s, k_s, n_c, k_c, each (..., 1). `stable`, (..., 1),
    is what is believed of stable's share before the block, within (0, 1): it steers the point on the
    border, and so the power; no belief makes E invalid. Alternatives above the border test "the canary is
    not worse", those below it "the canary is not better". 0 for a block that lacks one side: nothing is
    compared in it.
    """
    n_s, k_s, n_c, k_c = counts
    both = (n_s > 0) & (n_c > 0)
    n_s, n_c = np.where(both, n_s, 1.0), np.where(both, n_c, 1.0)
    if slope is None or shift is None:
        s0 = c0 = (n_s * stable + n_c * canary) / (n_s + n_c)
        rho: Floats | float = 1.0
    else:
        s0 = _near_projection(n_s, n_c, stable, canary, slope, shift)
        c0, rho = slope * s0 + shift, slope
    step_c = canary - c0
    step_s = -rho * n_c * step_c / (c0 * (1.0 - c0)) * s0 * (1.0 - s0) / n_s
    # Where s1 would leave (0, 1), both steps are shortened alike, which keeps (1).
    room = np.where(step_s < 0.0, s0, 1.0 - s0) * 0.999
    short = np.minimum(1.0, room / np.maximum(np.abs(step_s), 1e-300))
    s1, c1 = s0 + short * step_s, c0 + short * step_c
    value = (
        k_c * np.log(c1 / c0)
        + (n_c - k_c) * np.log((1.0 - c1) / (1.0 - c0))
        + k_s * np.log(s1 / s0)
        + (n_s - k_s) * np.log((1.0 - s1) / (1.0 - s0))
    )
    return np.where(both, value, 0.0)


def _near_projection(
    n_s: Floats, n_c: Floats, stable: Floats, canary: Floats, slope: Floats, shift: Floats
) -> Floats:
    """s0 near the projection of (stable, canary) on the border: least squares, reweighted at each round.

    Where the rounds settle, the derivative of the divergence is 0. For the border s = c the first one does.
    """
    top = (1.0 - shift) / slope - _SMALLEST
    s0 = np.minimum(stable + 0.0 * canary, top)
    for _ in range(_ROUNDS):
        c0 = slope * s0 + shift
        pull_s, pull_c = n_s / (s0 * (1.0 - s0)), n_c / (c0 * (1.0 - c0))
        s0 = (pull_s * stable + pull_c * slope * (canary - shift)) / (pull_s + pull_c * slope * slope)
        s0 = np.minimum(np.maximum(s0, 1e-3 * stable), top)
    return np.asarray(s0)
