"""One question for both sides, and its answer taken apart."""

from __future__ import annotations

import math

from rollbook.judge.asking import BUCKETS, COUNTER, MEMORY, SIDE, Sample, question, samples

COUNTERS = {"requests": 'sum(x{ns="$namespace",hash="$hash"})', "errors": "sum(e) or vector(0)"}


def test_all_counters_of_both_sides_are_one_query() -> None:
    """Each is put into parentheses, bound to its side, and marked by labels of ours."""
    text = question(COUNTERS, "shop", {"stable": "aaaa", "canary": "bbbb"})

    assert 3 == text.count(" or label_replace(label_replace(")
    bound = 'label_replace((sum(x{ns="shop",hash="bbbb"})), "rollbook_side", "canary", "", "")'
    assert f'label_replace({bound}, "rollbook_counter", "requests", "", "")' in text
    assert 2 == text.count("label_replace((sum(e) or vector(0)), ")


def test_a_side_without_a_hash_is_not_asked_for() -> None:
    """Before there is a canary, stable is asked for alone."""
    text = question(COUNTERS, "shop", {"stable": "aaaa", "canary": ""})

    assert "canary" not in text


def labels(side: str, counter: str, **more: str) -> dict[str, str]:
    return {SIDE: side, COUNTER: counter, **more}


def test_an_answer_is_taken_apart_by_side() -> None:
    """Counters are whole numbers, buckets are by edge, memory is by process."""
    found = samples(
        [
            (labels("stable", "requests"), 100.0),
            (labels("stable", "errors"), 3.0),
            (labels("stable", "scraped"), 1700.5),
            (labels("stable", BUCKETS, le="0.1"), 90.0),
            (labels("stable", BUCKETS, le="+Inf"), 100.0),
            (labels("stable", MEMORY, pod="a"), 5e6),
            (labels("canary", "errors"), 0.0),
        ]
    )

    assert {"stable": Sample(100, 3, {0.1: 90, math.inf: 100}, {"a": 5e6}, 1700.5)} == found


def test_what_is_no_histogram_is_left_out() -> None:
    """Without +Inf, or with counts that fall, nothing can be said of latency."""
    lacking = [(labels("stable", "requests"), 9.0), (labels("stable", BUCKETS, le="0.1"), 9.0)]
    falling = [*lacking, (labels("stable", BUCKETS, le="+Inf"), 8.0)]

    assert [{}, {}] == [samples(one)["stable"].buckets for one in (lacking, falling)]


def test_what_is_no_number_was_not_counted() -> None:
    """NaN is what Prometheus gives for nothing."""
    assert {} == samples([(labels("stable", "requests"), math.nan)])
