"""What is learnt of stable: its share, and whether its errors come in bursts."""

from __future__ import annotations

import numpy as np
import pytest

from rollbook.judge import beliefs


def past(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Sums over blocks in the first axis."""
    return beliefs.sums(n.astype(np.float64), k.astype(np.float64)).sum(axis=0)


def test_the_share_starts_at_the_guess_and_becomes_what_was_counted() -> None:
    """The guess is worth 100 requests."""
    seen = past(np.array([300.0]), np.array([30.0]))

    assert 0.005 == float(beliefs.stable_share(beliefs.nothing()))
    assert pytest.approx((30 + 0.5) / 400) == float(beliefs.stable_share(seen))


def test_correlation_is_that_of_the_moments() -> None:
    """Worked out block by block for counts of unlike sizes."""
    n, k = np.array([90.0, 40.0, 200.0, 150.0]), np.array([3.0, 0.0, 9.0, 1.0])
    p = (k.sum() + 0.5) / (n.sum() + 100)
    left = 1 - (n**2).sum() / n.sum() ** 2
    squares = sum((bad - total * p) ** 2 for total, bad in zip(n, k, strict=True))
    excess = squares - n.sum() * p * (1 - p) * left
    information = p * (1 - p) * sum(total * (total - 1) for total in n) * left

    assert pytest.approx(excess / information) == float(beliefs.rho_measured(past(n, k)))
    assert pytest.approx((excess + 5000 * 0.007) / (information + 5000)) == float(beliefs.rho(past(n, k)))


@pytest.mark.parametrize("rho", [0.0, 0.01, 0.05])
def test_correlation_is_found_again(rho: float) -> None:
    """1,000 streams of 60 simulated blocks: right on average, within 10 % and a thousandth."""
    rng = np.random.default_rng(21)
    n = np.full((60, 1000), 450)
    p = rng.beta(0.02 * (1 / rho - 1), 0.98 * (1 / rho - 1), n.shape) if rho else np.full(n.shape, 0.02)
    seen = past(n, rng.binomial(n, p))
    excess, information = beliefs._moments(seen, 0.005)

    assert pytest.approx(rho, rel=0.1, abs=0.001) == float(excess.mean() / information.mean())


def test_one_block_says_nothing_of_correlation() -> None:
    """However large it is: what is suspected stays."""
    seen = past(np.array([10**6]), np.array([5000]))

    assert beliefs.SUSPECTED_RHO == float(beliefs.rho(seen))


def test_bursts_are_told_from_chance() -> None:
    """Of independent errors one stream in a hundred at most is called bursty; of bursts nearly all are."""
    rng = np.random.default_rng(22)
    n = np.full((60, 2000), 450)
    calm = past(n, rng.binomial(n, 0.005))
    bursts = past(n, rng.binomial(n, rng.beta(0.495, 98.505, n.shape)))

    assert beliefs.bursty(calm).mean() <= 0.01
    assert beliefs.bursty(bursts).mean() >= 0.95
    assert not beliefs.bursty(beliefs.nothing())
