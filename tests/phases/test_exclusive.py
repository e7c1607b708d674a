"""One at a time per release target."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.phases.fakes import Stage, stage

from rollbook.errors import TargetHeldError
from rollbook.phases.exclusive import HOLDER, TTL_S, Holder, acquire, exclusive, held_by_another, lease_name
from rollbook.ports import Lease

ELSEWHERE = "other-run@elsewhere/1"


def until(done: Callable[[], bool]) -> None:
    """Wait until something has happened; ten seconds at most."""
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def held_by(on: Stage, holder: str) -> None:
    on.leases.write(lease_name(on.ctx.service), holder, TTL_S, on.clock.now(), over=None)


def test_a_free_target_is_held_and_given_back(tmp_path: Path) -> None:
    """The Lease is there while the block runs, and gone afterwards."""
    on = stage(tmp_path)
    with exclusive(on.ctx) as holder:
        assert on.leases.held["rollbook-shop-orders"].holder == holder
        assert Holder.parse(holder) == Holder("run", os.uname().nodename, os.getpid())

    assert on.leases.held == {}


def test_two_runs_cannot_hold_one_target(tmp_path: Path) -> None:
    """The second is refused, with the name of the first."""
    on = stage(tmp_path)
    held_by(on, ELSEWHERE)

    with (
        pytest.raises(TargetHeldError, match="is being released by other-run@elsewhere/1"),
        exclusive(on.ctx),
    ):
        pass
    assert on.leases.held["rollbook-shop-orders"].holder == ELSEWHERE


def test_an_expired_lease_is_taken_over(tmp_path: Path) -> None:
    """A holder that renews no more is in the way only until its Lease has run out."""
    on = stage(tmp_path)
    held_by(on, ELSEWHERE)
    on.clock.sleep(TTL_S + 3)

    with exclusive(on.ctx) as holder:
        assert on.leases.held["rollbook-shop-orders"].holder == holder


def test_a_holder_of_this_machine_that_died_need_not_be_waited_for(tmp_path: Path) -> None:
    """Its process is gone: the Lease is taken at once."""
    on = stage(tmp_path)
    held_by(on, str(Holder("old", os.uname().nodename, 2**22 + 1)))

    with exclusive(on.ctx) as holder:
        assert on.leases.held["rollbook-shop-orders"].holder == holder


def test_a_holder_of_this_machine_that_lives_is_respected(tmp_path: Path) -> None:
    """Another process of this machine that still runs holds its Lease."""
    on = stage(tmp_path)
    held_by(on, str(Holder("old", os.uname().nodename, 1)))

    with pytest.raises(TargetHeldError), exclusive(on.ctx):
        pass


def test_a_race_for_a_free_target_has_one_winner(tmp_path: Path) -> None:
    """Whoever writes second finds the other's Lease, and is refused."""
    on = stage(tmp_path)
    first_read = on.leases.read

    def slow_read(name: str) -> object:
        found = first_read(name)
        if found is None:
            held_by(on, ELSEWHERE)
        return found

    on.leases.read = slow_read  # type: ignore[method-assign,assignment]  # the other laptop, between read and write
    with pytest.raises(TargetHeldError):
        acquire(on.ctx, "me@here/1")

    assert on.leases.held["rollbook-shop-orders"].holder == ELSEWHERE


def test_a_kernel_of_a_run_uses_the_runs_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`rollbook run` holds the target for its notebooks."""
    on = stage(tmp_path)
    monkeypatch.setenv(HOLDER, ELSEWHERE)
    held_by(on, ELSEWHERE)

    with exclusive(on.ctx) as holder:
        assert holder == ELSEWHERE
    assert on.leases.held["rollbook-shop-orders"].holder == ELSEWHERE


def test_the_lease_is_renewed_while_it_is_held(tmp_path: Path) -> None:
    """A long run keeps its target."""
    on = stage(tmp_path)
    with exclusive(on.ctx, ttl_s=0.15):
        first = on.leases.held["rollbook-shop-orders"]
        until(lambda: on.leases.held["rollbook-shop-orders"].version != first.version)

    assert on.leases.held == {}


def test_a_lease_that_was_lost_is_told(tmp_path: Path) -> None:
    """A process that was stopped for too long learns that somebody else has the target, and stops."""
    on = stage(tmp_path)
    lost: list[str] = []
    with exclusive(on.ctx, ttl_s=0.15, on_lost=lost.append):
        on.leases.held["rollbook-shop-orders"] = Lease(
            "rollbook-shop-orders", ELSEWHERE, on.clock.now(), TTL_S, "99"
        )
        until(lambda: bool(lost))

    assert lost == [ELSEWHERE]
    assert on.leases.held["rollbook-shop-orders"].holder == ELSEWHERE
    assert held_by_another(on.ctx) == ELSEWHERE


def test_another_service_is_another_target(tmp_path: Path) -> None:
    """Two services can be released at once."""
    on = stage(tmp_path)

    assert lease_name(on.ctx.service) != lease_name(replace(on.ctx.service, namespace="other"))
