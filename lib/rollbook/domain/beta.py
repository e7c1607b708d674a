"""The regularised incomplete beta function and its inverse, as far as exact binomial bounds need them.

Written out because the domain stands on the standard library alone.
"""

from __future__ import annotations

import math

_TINY = 1e-300
_PRECISION = 1e-15
_MAX_TERMS = 100_000


def beta_cdf(a: float, b: float, x: float) -> float:
    """I_x(a, b) for a, b > 0: probability that a Beta(a, b) variable is at most `x`.

    The continued fraction of DLMF 8.17.22, evaluated by Lentz's method (DLMF 3.10), on the side of the mean
    where it converges fast.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(b, a, 1.0 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _fraction(a, b, x) / a


def beta_quantile(a: float, b: float, probability: float) -> float:
    """The x with I_x(a, b) = `probability` (within (0, 1)), by halving until no float lies between."""
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if middle in {low, high}:
            return middle
        if beta_cdf(a, b, middle) < probability:
            low = middle
        else:
            high = middle


def _fraction(a: float, b: float, x: float) -> float:
    """1 / (1 + d1 / (1 + d2 / (1 + ...)))."""
    c, d = 1.0, 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _nonzero(1.0 + term * d)
            c = _nonzero(1.0 + term / c)
            change = c * d
            value *= change
        if abs(change - 1.0) < _PRECISION:
            return value
    raise ArithmeticError(f"the incomplete beta function did not converge at {a}, {b}, {x}")


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
