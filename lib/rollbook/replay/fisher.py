"""Fisher's exact test, one-sided, asked again and again: what the judge is compared with.

Its p-value holds at one look that was fixed beforehand. Asked at every look, it alarms more often than alpha.
"""

from __future__ import annotations

import math

import numpy as np

from rollbook.replay.course import Floats

_log_gamma = np.vectorize(math.lgamma, otypes=[np.float64])
NEGLIGIBLE = 1e-12


def first_below(totals: Floats, alpha: float) -> int | None:
    """The first row of `totals`, (T, 4), at which p < `alpha`; None when there is none. `alpha` below 0.5."""
    below = np.flatnonzero(p_values(totals) < alpha)
    return int(below[0]) if len(below) else None


def p_values(totals: Floats) -> Floats:
    """P(the canary has at least as many of all bad requests as it has), each request alike: (T, 4) to (T,).

    The tail of the hypergeometric distribution (Fisher, 1922), summed from the observed count upwards until
    terms are negligible. Where the canary has no more than its share, terms first grow, and p is about 1/2 or
    more: it is given as 1 there. Columns are in the order of a `judge.model.Block`'s fields.
    """
    n_s, k_s, n_c, k_c = np.asarray(totals, dtype=np.float64).T
    bad, every = k_s + k_c, n_s + n_c
    more = k_c * every > n_c * bad
    p = np.ones(len(k_c))
    if not more.any():
        return p
    n_s, n_c, k_s, at, bad = n_s[more], n_c[more], k_s[more], k_c[more], bad[more]
    term = np.exp(_log_choose(n_c, at) + _log_choose(n_s, k_s) - _log_choose(n_s + n_c, bad))
    tail = term.copy()
    while (term > NEGLIGIBLE * tail).any():
        ratio = (n_c - at) * (bad - at) / ((at + 1.0) * np.maximum(n_s - bad + at + 1.0, 1.0))
        term = term * np.maximum(ratio, 0.0)
        at = at + 1.0
        tail += term
    p[more] = np.minimum(tail, 1.0)
    return p


def _log_choose(n: Floats, k: Floats) -> Floats:
    return np.asarray(_log_gamma(n + 1.0) - _log_gamma(k + 1.0) - _log_gamma(n - k + 1.0))
