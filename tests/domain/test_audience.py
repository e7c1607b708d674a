"""Users with names: who comes back, and who gets which variant."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rollbook.domain.audience import Audience, is_first_visit, user_number, variant_of

AUDIENCE = Audience("u1", "X-User-Id", "X-Variant", "X-App-Converted")


def test_each_user_has_one_first_visit_and_comes_back_later() -> None:
    """Of 4,000 requests 3,000 are first visits, of users one after the other; the others were there
    before."""
    first = [number for number in range(4000) if is_first_visit(f"abc-{number}")]
    again = [number for number in range(4000) if not is_first_visit(f"abc-{number}")]

    assert list(range(3000)) == [user_number(number) for number in first]
    assert [] == [number for number in again if user_number(number) >= user_number(number - 1) + 1]
    assert len(again) == 1000


@given(st.integers(0, 10**9))
def test_a_user_keeps_the_variant(request: int) -> None:
    """Whoever sends it and whenever: the variant follows from the id alone."""
    user = AUDIENCE.user(request)

    assert variant_of(user) == variant_of(str(user))
    assert variant_of(user) in {"a", "b"}


def test_half_of_the_users_get_each_variant() -> None:
    """Of 20,000 users each variant has a half, within what chance allows; another experiment mixes anew."""
    users = [f"u1-{number}" for number in range(20_000)]
    shares = Counter(variant_of(user) for user in users)
    same = sum(variant_of(f"u1-{number}") == variant_of(f"u2-{number}") for number in range(20_000))

    assert abs(shares["a"] - 10_000) < 400
    assert abs(same - 10_000) < 400
