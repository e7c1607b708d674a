"""Waiting for AWS: what was made is not seen at once, and what was deleted is not gone at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rollbook.errors import EnvironmentFailedError
from rollbook.ports import Clock

Found = TypeVar("Found")

SETTLE_S = 20.0
"""How long something that was made may stay unseen."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0


def seen(look: Callable[[], Found | None], told: str, *, clock: Clock, within_s: float = SETTLE_S) -> Found:
    """Look until there is something, at growing distances. `told` names it (`the ECR repository x`).

    EnvironmentFailedError after `within_s` seconds of nothing.
    """
    found = waited(look, lambda one: one is not None, clock=clock, within_s=within_s)
    if found is None:
        raise EnvironmentFailedError(
            f"{told} was made, and cannot be seen after {within_s:g} s",
            why="AWS has not told all of its own servers yet",
            next_step="Wait a minute, then run again: it will be found.",
        )
    return found


def waited(
    look: Callable[[], Found], enough: Callable[[Found], bool], *, clock: Clock, within_s: float
) -> Found:
    """Look until that is enough or `within_s` seconds have passed, once at least; the last thing seen."""
    deadline = clock.monotonic() + within_s
    pause = FIRST_PAUSE_S
    while True:
        found = look()
        left = deadline - clock.monotonic()
        if enough(found) or left <= 0:
            return found
        clock.sleep(min(pause, left))
        pause = min(pause * 2, LONGEST_PAUSE_S)
