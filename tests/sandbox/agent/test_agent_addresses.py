from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.agent.addresses import AddressPool


def test_first_address() -> None:
    """The first pod gets the first address of the pods' part of the subnet."""
    assert AddressPool("127.77").allocate("a") == "127.77.1.1"


def test_kept_for_life() -> None:
    """A pod that asks again gets the address it has."""
    pool = AddressPool("127.77")
    first = pool.allocate("a")
    pool.allocate("b")
    assert first == pool.allocate("a")


def test_freed_comes_last() -> None:
    """An address just given back is not the next to be handed out."""
    pool = AddressPool("127.77")
    freed = pool.allocate("a")
    pool.release("a")
    assert freed != pool.allocate("b")


def test_claimed_is_not_handed_out() -> None:
    """The address of an adopted pod is not given to another."""
    pool = AddressPool("127.77")
    pool.claim("old", "127.77.1.1")
    assert pool.allocate("new") == "127.77.1.2"
    assert pool.allocate("old") == "127.77.1.1"


def test_claimed_twice() -> None:
    """Two pods cannot claim one address."""
    pool = AddressPool("127.77")
    pool.claim("a", "127.77.1.1")
    with pytest.raises(EnvironmentFailedError, match="in use twice"):
        pool.claim("b", "127.77.1.1")


@pytest.mark.parametrize(
    "address", ["127.78.1.1", "127.77.0.1", "127.77.1.0", "127.77.1.255", "127.77.255.1"]
)
def test_foreign_address(address: str) -> None:
    """An address that no pod can have is refused."""
    with pytest.raises(EnvironmentFailedError, match="not a pod address"):
        AddressPool("127.77").claim("a", address)


def test_exhausted() -> None:
    """When all addresses are taken the pool says so."""
    pool = AddressPool("127.77")
    count = 254 * 254
    assert len({pool.allocate(str(number)) for number in range(count)}) == count
    with pytest.raises(EnvironmentFailedError, match="no pod address is left"):
        pool.allocate("one more")
    pool.release("17")
    assert pool.allocate("one more").startswith("127.77.")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_never_shared(steps: list[tuple[bool, int]]) -> None:
    """Whatever comes and goes, no two pods hold one address, and none is lost."""
    pool = AddressPool("127.77")
    held: dict[str, str] = {}
    for coming, number in steps:
        owner = str(number)
        if coming:
            held[owner] = pool.allocate(owner)
        else:
            pool.release(owner)
            held.pop(owner, None)
        assert len(set(held.values())) == len(held)
        assert pool.in_use() == len(held)
