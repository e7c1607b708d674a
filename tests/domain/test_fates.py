"""Every request has one fate, and windows around changes count each of theirs once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.domain.fates import (
    Change,
    ChangeKind,
    Fate,
    around,
    changes,
    fate_of,
    fates,
    tally,
)
from rollbook.domain.traffic import Cause, RequestRecord


def request(at: float, cause: Cause = Cause.OK, version: str = "1.0.0", status: int = 200) -> RequestRecord:
    """A request due `at` that took 10 ms."""
    return RequestRecord(at, at, 0.01, status, cause, version, "pod", f"id-{at}")


@pytest.mark.parametrize(
    ("cause", "status", "fate"),
    [
        (Cause.OK, 200, Fate.ANSWERED),
        (Cause.APP_ERROR, 503, Fate.APP_ERROR),
        (Cause.CLIENT_ERROR, 404, Fate.APP_REFUSED),
        (Cause.PROXY_ERROR, 404, Fate.NO_ROUTE),
        (Cause.PROXY_ERROR, 502, Fate.NO_ENDPOINT),
        (Cause.PROXY_ERROR, 503, Fate.NO_ENDPOINT),
        (Cause.PROXY_ERROR, 504, Fate.NO_ENDPOINT),
        (Cause.PROXY_ERROR, 429, Fate.EDGE_ERROR),
        (Cause.RESET, 0, Fate.RESET),
        (Cause.REFUSED, 0, Fate.REFUSED),
        (Cause.TIMEOUT, 0, Fate.TIMEOUT),
    ],
)
def test_each_request_has_one_fate(cause: Cause, status: int, fate: Fate) -> None:
    """Service and edge are told apart, and of the edge what it lacked."""
    assert fate == fate_of(request(0, cause, status=status))


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(Cause), st.sampled_from(("", "1", "2")))))
def test_fates_add_up_to_what_was_sent(rows: list[tuple[float, Cause, str]]) -> None:
    """By fate, and by version and fate, the counts of a window are those of its requests."""
    records = [request(at, cause, version) for at, cause, version in rows]
    counted = tally(records, 5, 15)
    assert sum(5 <= at < 15 for at, _, _ in rows) == counted.sent
    assert counted.sent == sum(counted.by_fate.values())
    assert counted.sent == sum(sum(found.values()) for found in counted.by_version.values())
    assert len(records) == sum(fates(records).values())
    assert sum(5 <= at < 15 and cause is not Cause.OK for at, cause, _ in rows) == counted.failed


def test_an_abort_and_its_weight_are_one_change() -> None:
    """Argo sets the weight to 0 as it aborts; users feel one thing."""
    found = changes([(10, 0), (20, 20), (30, 50), (40.2, 0)], stable="1", canary="2", aborted_s=40)
    assert (
        Change(20, ChangeKind.WEIGHT, 20),
        Change(30, ChangeKind.WEIGHT, 50),
        Change(40, ChangeKind.ABORTED, 0, "2"),
    ) == found


def test_a_promotion_takes_nobody_from_the_new_version() -> None:
    """The weight of 0 that ends a promotion is no change of its own; at 100 % stable is what users leave."""
    found = changes([(20, 20), (30, 100), (40, 0)], stable="1", canary="2", promoted_s=40.5)
    assert (
        Change(20, ChangeKind.WEIGHT, 20),
        Change(30, ChangeKind.WEIGHT, 100, "1"),
        Change(40.5, ChangeKind.PROMOTED, 100, "1"),
    ) == found


def test_two_weights_in_a_row_stay_two() -> None:
    """However close they are: each of them sent users somewhere else."""
    found = changes([(20, 20), (20.5, 50)], stable="1", canary="2")
    assert [20, 50] == [change.weight for change in found]


def test_a_version_over_itself_has_nobody_leaving() -> None:
    """A release of the same version cannot tell by the version who answered last."""
    found = changes([(20, 20), (30, 100)], stable="1", canary="1", promoted_s=40)
    assert {""} == {change.leaving for change in found}


def test_a_rollback_without_an_abort_leaves_the_canary() -> None:
    """Where only the weight tells that it ended, the canary is what users leave."""
    assert Change(30, ChangeKind.WEIGHT, 0, "2") == changes([(20, 20), (30, 0)], stable="1", canary="2")[-1]


def test_windows_are_cut_at_the_next_change() -> None:
    """Of two changes 2 s apart, neither's window reaches beyond the other."""
    records = [request(second) for second in range(20)]
    first, second = around(
        records, [Change(6, ChangeKind.WEIGHT, 20), Change(8, ChangeKind.WEIGHT, 50)], window_s=5
    )
    assert [(1, 6), (6, 8), (6, 8), (8, 13)] == [
        (one.start_s, one.end_s) for one in (first.before, first.after, second.before, second.after)
    ]
    assert [5, 2, 2, 5] == [one.sent for one in (first.before, first.after, second.before, second.after)]


def test_the_last_answer_of_the_leaving_version_is_told() -> None:
    """It counts wherever it was, and is unknown for a change that takes users from nobody."""
    records = [request(9, version="2"), request(10.5, version="2"), request(11)]
    weight, abort = around(
        records, [Change(8, ChangeKind.WEIGHT, 20), Change(10, ChangeKind.ABORTED, 0, "2")]
    )
    assert (None, 10.51) == (weight.last_answer_s, abort.last_answer_s)


def test_an_empty_window_has_no_slowest_request() -> None:
    """Nothing was sent, nothing failed, and nothing is made up."""
    counted = tally([], 0, 5)
    assert (0, 0, None, {}) == (counted.sent, counted.failed, counted.slowest_s, counted.by_version)
