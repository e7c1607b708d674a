"""Every outcome of a few requests with its probability: what the judge's algebra is held against."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def chance(n: int, k: int, p: float) -> float:
    """P(k of n) with probability p each."""
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def block(n_s: int, n_c: int, s: float, c: float) -> Iterator[tuple[tuple[int, int, int, int], float]]:
    """Counts of one block, and their probability."""
    for k_s, k_c in itertools.product(range(n_s + 1), range(n_c + 1)):
        yield (n_s, k_s, n_c, k_c), chance(n_s, k_s, s) * chance(n_c, k_c, c)


def streams(blocks: Sequence[tuple[int, int, float, float]]) -> tuple[Array, Array]:
    """Counts of all streams of blocks (n_s, n_c, s, c), shape (T, outcomes, 4), and their probabilities."""
    every = list(itertools.product(*(list(block(*one)) for one in blocks)))
    counts = np.array([[counts for counts, _ in stream] for stream in every], dtype=np.float64)
    chances = np.array([math.prod(p for _, p in stream) for stream in every])
    return counts.transpose(1, 0, 2), chances


def unequal(shares: Sequence[float]) -> list[float]:
    """P(k bad ones), k = 0, 1, ..., of requests that each have a share of their own."""
    chances = [1.0]
    for p in shares:
        chances = [
            (chances[k] * (1 - p) if k < len(chances) else 0.0) + (chances[k - 1] * p if k else 0.0)
            for k in range(len(chances) + 1)
        ]
    return chances


def tail(n: int, k: int, p: float) -> float:
    """P(more than k of n)."""
    return 1.0 - sum(chance(n, one, p) for one in range(k + 1))


def most(n: int, p: float, doubt: float = 1e-7) -> int:
    """How many of n may occur at probability p each, if more of them are to be as unlikely as `doubt`."""
    k = math.ceil(n * p)
    while tail(n, k, p) > doubt:
        k += 1
    return k
