"""Verdicts in words: one sentence each, for somebody tired."""

from __future__ import annotations

from rollbook.judge.model import Block, Effect, Margin, Verdict


def rate_sentence(
    verdict: Verdict, counts: Block, effect: Effect | None, margin: Margin, what: str, alpha: float
) -> str:
    """What was counted, and what follows from it; `what` is what a bad request did, such as "failed"."""
    if verdict is Verdict.NO_DATA or effect is None:
        totals = (("stable", counts.stable_total), ("the canary", counts.canary_total))
        missing = " and none of ".join(side for side, total in totals if not total)
        return f"Nothing can be said: no request of {missing} was counted."
    counted = (
        f"{of(counts.canary_errors, counts.canary_total)} canary requests {what} "
        f"and {of(counts.stable_errors, counts.stable_total)} of stable"
    )
    between = f"the difference is {points(effect.low)} to {points(effect.high)} percentage points"
    if verdict is Verdict.HARMFUL:
        return (
            f"The canary is worse than stable: {counted}; {between}, and a healthy canary is called harmful "
            f"in {share(alpha)} of releases at most."
        )
    if verdict is Verdict.SAFE:
        return f"The canary is {within(margin)}: {counted}; {between}."
    return f"Too little is known to decide: {counted}; {between}."


def within(margin: Margin) -> str:
    """What safe means."""
    if margin.relative:
        return f"at most {1.0 + margin.value:g} times as bad as stable"
    return f"less than {distance(margin.value)} worse than stable"


def distance(value: float) -> str:
    """A share as a distance: `1 percentage point`."""
    number = points(value).lstrip("+")
    return f"{number} percentage point{'' if number == '1' else 's'}"


def of(bad: int, total: int) -> str:
    """`12 of 240 (5 %)`."""
    return f"{bad:,} of {total:,} ({share(bad / total)})" if total else "0 of 0"


def share(value: float) -> str:
    """A share as per cent, two digits that count."""
    return f"{_digits(100.0 * value)} %"


def points(value: float) -> str:
    """A difference of shares in percentage points, signed."""
    return f"{'+' if value > 0 else ''}{_digits(100.0 * value)}"


def seconds(value: float | None) -> str:
    """A moment, or that there was none."""
    return "never" if value is None else f"{value:g} s"


def _digits(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if abs(value) >= 10 else f"{float(f'{value:.2g}'):g}"
