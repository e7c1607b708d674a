from __future__ import annotations

import pytest

from rollbook.errors import BadInputError
from rollbook.sandbox.agent.backoff import Backoff
from rollbook.sandbox.agent.quantities import parse_quantity


def test_doubling() -> None:
    """A container that keeps crashing is restarted at once, then after 10 s, and ever later up to 5 min."""
    backoff, delays = Backoff(), []
    for _ in range(8):
        delay, backoff = backoff.after_failure()
        delays.append(delay)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


def test_long_run_is_forgiven() -> None:
    """After a run of ten minutes the next restart is immediate."""
    assert Backoff(160.0).after_failure(ran_s=600.0) == (0.0, Backoff(10.0))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("250m", 0.25),
        ("64Mi", 64 * 2**20),
        ("1e3", 1000),
        ("2k", 2000),
        ("1.5Gi", 1.5 * 2**30),
        ("0", 0),
    ],
)
def test_quantity(text: str, value: float) -> None:
    """Quantities are read as Kubernetes writes them."""
    assert value == float(parse_quantity(text))


@pytest.mark.parametrize("text", ["", "Mi", "1Zi", "one", "1 Mi"])
def test_no_quantity(text: str) -> None:
    """What is no quantity is refused by name."""
    with pytest.raises(BadInputError, match="not a quantity"):
        parse_quantity(text)
