"""What the judge is given and what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from rollbook.errors import BadInputError


class Verdict(StrEnum):
    """What can be said of a canary."""

    HARMFUL = "harmful"
    SAFE = "safe"
    UNDECIDED = "undecided"
    NO_DATA = "no-data"


@dataclass(frozen=True)
class Margin:
    """How much worse than stable a canary may be and still be called safe.

    Absolute: canary's share < stable's + `value`. Relative: canary's share < stable's x (1 + `value`).
    BadInputError unless 0 < value, and value < 1 if it is absolute.
    """

    value: float = 0.01
    relative: bool = False

    def __post_init__(self) -> None:
        limit = math.inf if self.relative else 1.0
        if not 0 < self.value < limit:
            raise BadInputError(
                f"{self.value:g} is no margin",
                why="a relative margin is above 0"
                if self.relative
                else "a margin is a share between 0 and 1",
                next_step="Give one such as 0.01, which is one percentage point.",
            )

    @property
    def slope(self) -> float:
        """rho of the line on which canary = rho x stable + shift."""
        return 1.0 + self.value if self.relative else 1.0

    @property
    def shift(self) -> float:
        """The shift of that line, a share."""
        return 0.0 if self.relative else self.value


@dataclass(frozen=True)
class Block:
    """Requests since the last look, and how many of them were bad; both sides over the same span of time.

    BadInputError when a count is negative, or more are bad than there are.
    """

    stable_total: int = 0
    stable_errors: int = 0
    canary_total: int = 0
    canary_errors: int = 0

    def __post_init__(self) -> None:
        for side, total, errors in (
            ("stable", self.stable_total, self.stable_errors),
            ("canary", self.canary_total, self.canary_errors),
        ):
            if total < 0 or errors < 0:
                raise BadInputError(f"{side} has a count below 0: {min(total, errors)}")
            if errors > total:
                raise BadInputError(f"{side} has more errors than requests: {errors} of {total}")

    def __add__(self, other: Block) -> Block:
        return Block(
            self.stable_total + other.stable_total,
            self.stable_errors + other.stable_errors,
            self.canary_total + other.canary_total,
            self.canary_errors + other.canary_errors,
        )


@dataclass(frozen=True)
class Window:
    """From the first look to the last, in the caller's seconds."""

    begins_s: float
    ends_s: float


@dataclass(frozen=True)
class Effect:
    """Canary minus stable, with an interval that holds at every look (a confidence sequence)."""

    value: float
    low: float
    high: float
    confidence: float
    """Share of the streams of looks in which the interval never misses the truth, at least."""
    unit: str
    """`share` of requests, or `bytes/s`."""


@dataclass(frozen=True)
class MetricVerdict:
    """What can be said of one metric after a look.

    `e_value` is evidence now that the canary is worse: on average at most 1 while it is not. `p_value` is 1
    over the largest e-value of any look, anytime-valid. `e_safe` and `p_safe` are the same for being within
    the margin. They are None where a metric is judged by an interval alone. `alpha` is this metric's own.
    """

    name: str
    verdict: Verdict
    alpha: float
    e_value: float | None
    p_value: float | None
    e_safe: float | None
    p_safe: float | None
    effect: Effect | None
    counts: Block
    window: Window | None
    query: str
    warnings: tuple[str, ...]
    sentence: str
    first_harmful_s: float | None = None
    first_safe_s: float | None = None


@dataclass(frozen=True)
class Judgement:
    """What can be said of the canary in all, and of each metric.

    `e_value` is the weighted mean of the metrics' e-values; an e-value again, however metrics depend on each
    other.
    """

    verdict: Verdict
    alpha: float
    e_value: float
    p_value: float
    metrics: tuple[MetricVerdict, ...]
    sentence: str


def check_alpha(alpha: float) -> float:
    """`alpha` itself; BadInputError unless it is between 0 and 0.5, both excluded."""
    if not 0 < alpha < 0.5:
        raise BadInputError(
            f"alpha {alpha:g} is no rate of false alarms",
            why="it has to be above 0 and below 0.5",
            next_step="Give one such as 0.01: one healthy canary in a hundred is called harmful at most.",
        )
    return alpha


def e_from_log(log_e: float) -> float:
    """exp(log_e), but finite: JSON has no infinity."""
    return math.exp(min(max(log_e, -700.0), 700.0))
