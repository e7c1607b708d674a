"""A rollout that makes no progress."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.phases.fakes import ABORTED, AT_REST, UNDER_WAY, at

from rollbook.domain.rollout import RolloutStatus
from rollbook.phases.deadline import GRACE_S, ProgressDeadline

STUCK = replace(UNDER_WAY, progress_deadline_s=60.0)
LATE = 60.0 + GRACE_S + 0.1


def over(*seen: tuple[float, RolloutStatus]) -> bool:
    """Whether the last of these looks says that it is over."""
    watch = ProgressDeadline()
    return [watch.over(status, now) for now, status in seen][-1]


def test_a_version_that_never_becomes_ready_is_given_up() -> None:
    """After its deadline, and the grace that Argo has to do so itself."""
    assert over((0.0, STUCK), (LATE, STUCK))
    assert not over((0.0, STUCK), (60.0, STUCK))


@pytest.mark.parametrize(
    "progress",
    [
        replace(STUCK, step_index=1),
        replace(STUCK, current_hash="cccc"),
        replace(STUCK, ready_replicas=3),
    ],
)
def test_progress_begins_the_deadline_anew(progress: RolloutStatus) -> None:
    """Another step, another version and one more pod that is ready are progress."""
    assert not over((0.0, STUCK), (50.0, progress), (LATE, progress))
    assert over((0.0, STUCK), (50.0, progress), (50.0 + LATE, progress))


def test_pods_that_come_and_go_are_no_progress() -> None:
    """A pod that crashes again and again becomes ready again and again."""
    back = replace(STUCK, ready_replicas=1)

    assert over((0.0, STUCK), (30.0, back), (60.0, STUCK), (LATE, back))


@pytest.mark.parametrize(
    "waits", [replace(at(20, 1), paused=True), ABORTED, AT_REST], ids=["paused", "aborted", "at rest"]
)
def test_who_waits_on_purpose_has_no_deadline(waits: RolloutStatus) -> None:
    """A pause may be as long as it likes, and what is over needs no progress."""
    waits = replace(waits, progress_deadline_s=60.0)

    assert not over((0.0, waits), (10 * LATE, waits))


def test_without_a_deadline_nothing_is_given_up() -> None:
    """A Rollout that Argo is not to abort is not aborted here either."""
    assert not over((0.0, UNDER_WAY), (10 * LATE, UNDER_WAY))
