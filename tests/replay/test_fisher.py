"""Fisher's exact test against its definition."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.replay.fisher import first_below, p_values


def exact(n_s: int, k_s: int, n_c: int, k_c: int) -> Fraction:
    """P(at least k_c of the bad requests are the canary's), by counting."""
    bad = k_s + k_c
    every = comb(n_s + n_c, bad)
    return sum((Fraction(comb(n_c, k) * comb(n_s, bad - k), every) for k in range(k_c, bad + 1)), Fraction(0))


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    n_s, n_c = draw(st.integers(0, 60)), draw(st.integers(0, 30))
    return n_s, draw(st.integers(0, n_s)), n_c, draw(st.integers(0, n_c))


@given(tables())
def test_p_is_the_sum_over_tables_that_are_as_bad(table: tuple[int, int, int, int]) -> None:
    """It is exact above the canary's share, and 1 at or below it, where p is no evidence."""
    n_s, k_s, n_c, k_c = table
    [p] = p_values(np.array([table], dtype=np.float64))
    more = k_c * (n_s + n_c) > n_c * (k_s + k_c)

    assert p == pytest.approx(float(exact(*table)) if more else 1.0, rel=1e-9)


@given(tables())
def test_no_evidence_is_lost_where_p_is_given_as_1(table: tuple[int, int, int, int]) -> None:
    """A canary with no more than its share is never below a level that anyone alarms at."""
    n_s, k_s, n_c, k_c = table
    if k_c * (n_s + n_c) <= n_c * (k_s + k_c):
        assert exact(*table) > 0.25


def test_the_first_look_below_alpha_counts() -> None:
    """Looks before it are not, later ones do not matter."""
    totals = np.array([[100, 0, 10, 0], [200, 0, 20, 2], [300, 0, 30, 6], [400, 300, 40, 6]], dtype=float)

    assert [0.01 > exact(*map(int, row)) for row in totals] == [False, True, True, False]
    assert 1 == first_below(totals, 0.01)
    assert first_below(totals[:1], 0.01) is None


def test_a_day_of_large_counts_stays_a_number() -> None:
    """Millions of requests neither overflow nor give a p that is none."""
    rows = np.arange(1.0, 1001.0)[:, None] * np.array([[90_000.0, 450.0, 10_000.0, 60.0]])
    p = p_values(rows)

    assert bool(((p >= 0) & (p <= 1)).all())
    assert p[-1] < p[0]
