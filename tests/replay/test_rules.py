"""Rules over one canary: when each decides, and how many users had met it by then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.replay.made import answers, course, ended, steady

from rollbook.errors import BadInputError
from rollbook.judge.model import Verdict
from rollbook.judge.replay import replay as judge_rows
from rollbook.judge.standing import RateMetric
from rollbook.judge.table import Row
from rollbook.replay.course import Course
from rollbook.replay.policy import FisherSection, JudgeSection, Policy, ThresholdSection
from rollbook.replay.rules import Decision, blocks, decide, moments

BY_ERRORS = Policy(judge={"judge": JudgeSection(latency_weight=0)})


def decision(made: Course, policy: Policy, rule: str) -> Decision:
    return next(one for one in decide(made, policy) if one.rule == rule)


def test_a_broken_canary_is_aborted_and_the_users_until_then_are_counted() -> None:
    """Answers and failed ones are those up to the decision, counted one by one."""
    made = steady(errors=0.3)
    found = decision(made, BY_ERRORS, "judge")
    assert found.after_s is not None
    until = made.canary.at_s <= found.after_s

    assert ("abort", True) == (found.does, found.after_s <= 15.0)
    assert (int(until.sum()), int(made.canary.failed[until].sum())) == (found.answers, found.failed)


@pytest.mark.parametrize("errors", [0.0, 0.05, 0.2, 0.5])
def test_the_judge_decides_as_rollbook_judge_does_over_the_same_counts(errors: float) -> None:
    """Its first harmful and first safe look are those of `rollbook judge` over a table of the blocks."""
    made = steady(errors=errors, ends_s=300.0)
    looks = moments(made, 5.0)
    counts = blocks(made, looks).astype(int)
    rows = [
        Row(number, float(at_s), (n_s, k_s), (n_c, k_c), missing=False)
        for number, (at_s, (n_s, k_s, n_c, k_c)) in enumerate(zip(looks, counts, strict=True))
    ]
    other = judge_rows(rows, RateMetric(alpha=0.01), per_block=True)
    found = decision(made, BY_ERRORS, "judge")

    assert other.last.first_harmful_s == found.after_s
    if found.after_s is None:
        assert other.last.first_safe_s == found.safe_s
    else:
        at = next(look for look in other.looks if look.verdict is Verdict.HARMFUL)
        assert f"{at.counts.canary_errors} of {at.counts.canary_total}" in found.why


def test_looks_are_on_the_same_grid_before_and_after_users_met_it() -> None:
    """Multiples of the time between looks from stable's first answer to the end; every answer is in one."""
    made = steady(ends_s=12.0)
    looks = moments(made, 5.0)
    counts = blocks(made, looks)

    assert [-10.0, -5.0, 0.0, 5.0, 10.0] == looks.tolist()
    assert (made.canary.at_s <= 10.0).sum() == counts[:, 2].sum()
    assert (made.stable.at_s <= 10.0).sum() == counts[:, 0].sum()


def test_what_is_slow_and_does_not_fail_is_found_by_latency_alone() -> None:
    """200 ms more: a judge of errors sees nothing, one of latency too aborts, and says why."""
    made = steady(slow_s=0.2)
    both = Policy(judge={"errors": JudgeSection(latency_weight=0), "both": JudgeSection()})
    blind, seeing = decision(made, both, "errors"), decision(made, both, "both")

    assert ("", "abort") == (blind.does, seeing.does)
    assert seeing.why.startswith("p95: The canary is worse than stable")


def test_far_edges_do_not_blind_the_judge_of_latency() -> None:
    """Edges beyond all of stable's answers are one edge: the lowest of them is what slow is measured by."""
    made = steady(slow_s=0.2)
    far = Policy(judge={"both": JudgeSection(edges_s=(0.005, 0.1, 1.0, 10.0, 100.0))})

    assert "took longer than 0.1 s" in decision(made, far, "both").why


def test_without_latencies_the_judge_uses_all_of_alpha_for_errors() -> None:
    """Counters know no latency: the answer is that of a judge of errors."""
    made = steady(errors=0.05)
    plain = replace(
        made,
        stable=replace(made.stable, latency_s=None),
        canary=replace(made.canary, latency_s=None),
    )
    policy = Policy(judge={"errors": JudgeSection(latency_weight=0), "both": JudgeSection()})
    first, second = (decision(plain, policy, name) for name in ("errors", "both"))

    assert replace(first, rule="both") == second


def test_a_healthy_canary_is_left_alone_and_called_safe() -> None:
    """At enough traffic the judge says when it was safe."""
    made = steady(ends_s=300.0, canary_rps=40.0)
    found = decision(made, BY_ERRORS, "judge")

    assert ("", None) == (found.does, found.after_s)
    assert found.safe_s is not None
    assert (len(made.canary.at_s), 0) == (found.answers, found.failed)


def test_nothing_is_decided_after_the_end_of_the_record() -> None:
    """Argo aborted after 4 s, before the first look: no rule can have decided."""
    made = ended(steady(errors=0.5, seed=6), "abort", 4.0)
    assert not made.canary.failed[0]
    policy = Policy(
        judge={"judge": JudgeSection()},
        fisher={"fisher": FisherSection()},
        thresholds={"argo": ThresholdSection(least_success_rate=0.9, window_s=5, interval_s=5)},
    )
    real, *others = decide(made, policy)

    assert ("abort", 4.0, 41) == (real.does, real.after_s, real.answers)
    assert ["", "", ""] == [one.does for one in others]


def test_rules_see_nothing_after_the_look() -> None:
    """A decision stays what it is whatever comes later."""
    made = steady(errors=0.3)
    after = decision(made, BY_ERRORS, "judge").after_s
    assert after is not None
    cut = replace(made, ends_s=after)

    assert decision(made, BY_ERRORS, "judge") == decision(cut, BY_ERRORS, "judge")


def test_a_peeked_test_believes_a_single_failure() -> None:
    """One failed answer of one, and none of 401: p is 1/402, and Fisher's test aborts; the judge waits."""
    policy = Policy(every_s=1, fisher={"fisher": FisherSection()}, judge={"judge": JudgeSection()})
    hasty, judge = (decision(steady(errors=1.0), policy, name) for name in ("fisher", "judge"))

    assert ("abort", 0.0, 1) == (hasty.does, hasty.after_s, hasty.answers)
    assert ("abort", 1.0) == (judge.does, judge.after_s)


def test_too_many_looks_are_bad_input() -> None:
    """A year at a look each 0.1 s is refused, and not begun."""
    long = course(answers(np.array([-10.0])), answers(np.array([0.0])), ends_s=3e7)

    with pytest.raises(BadInputError, match="looks are too many"):
        decide(long, Policy(every_s=0.1, fisher={"fisher": FisherSection()}))
