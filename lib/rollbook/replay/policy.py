"""The policy file: which rules are replayed, and how often they look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from rollbook.replay.course import Threshold
from rollbook.settings import yaml_file

AS_RECORDED = "argo, as recorded"
"""Name of the rule that a run's own AnalysisRun had."""
JUDGE_RECORDED = "judge, as recorded"
"""Name under which is told what the judge said in the run itself."""
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0)
"""Edges by which latencies of requests become a histogram, in seconds: those of the service in app/."""
HINT = "A policy has, for example: every_s: 5, alpha: 0.01, judge: {judge: {}}, recorded: true."

Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Alpha = Annotated[float, Field(gt=0, lt=0.5)]
Edge = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JudgeSection(_Part):
    """The judge. What is None is the policy's."""

    alpha: Alpha | None = Field(None, description="share of healthy canaries that may be called harmful")
    margin: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="what is still safe, a share"
    )
    latency_weight: float = Field(0.2, ge=0, le=0.9, description="latency's part of alpha; 0: errors alone")
    latency_quantile: float = Field(0.95, ge=0.5, lt=1, description="of stable, beyond which it is slow")
    edges_s: tuple[Edge, ...] = Field(BUCKETS_S, min_length=1, max_length=200)


class ThresholdSection(_Part):
    """A rule as an AnalysisTemplate has it; `replay.course.Threshold` says what each number does."""

    least_success_rate: float = Field(ge=0, le=1)
    window_s: Seconds
    interval_s: Seconds
    minimum_requests: float = Field(0, ge=0, allow_inf_nan=False)
    initial_delay_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = Field(
        None, description="without it: the interval"
    )
    failure_limit: int = Field(0, ge=0)
    inconclusive_limit: int = Field(0, ge=0)
    most_p95_s: Seconds | None = None

    def rule(self) -> Threshold:
        """The rule itself."""
        delay = self.interval_s if self.initial_delay_s is None else self.initial_delay_s
        return Threshold(**{**self.model_dump(), "initial_delay_s": delay})


class FisherSection(_Part):
    """Fisher's exact test, asked at each look as if it were the only one."""

    alpha: Alpha | None = None


class Policy(_Part):
    """A policy file. Rules are by their names; looks are `every_s` seconds apart."""

    every_s: Annotated[float, Field(ge=0.1, le=3600)] = 5.0
    alpha: Alpha = 0.01
    margin: float = Field(0.01, gt=0, lt=1)
    judge: dict[Name, JudgeSection] = Field(default_factory=dict)
    thresholds: dict[Name, ThresholdSection] = Field(default_factory=dict)
    fisher: dict[Name, FisherSection] = Field(default_factory=dict)
    recorded: bool = False

    @model_validator(mode="after")
    def _rules_have_names_of_their_own(self) -> Self:
        names = [JUDGE_RECORDED, AS_RECORDED] if self.recorded else []
        for section in ("judge", "thresholds", "fisher"):
            for name in getattr(self, section):
                if name in names:
                    raise PydanticCustomError(
                        "two_rules", "two rules are called '{name}'", {"name": name, "at": [section, name]}
                    )
                names.append(name)
        if not names:
            raise PydanticCustomError(
                "no_rule", "no rule is there: give judge, thresholds, fisher or recorded"
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rules, in the order in which they are told."""
        return (
            *self.judge,
            *((JUDGE_RECORDED, AS_RECORDED) if self.recorded else ()),
            *self.thresholds,
            *self.fisher,
        )


DEFAULT = Policy(
    judge={"judge": JudgeSection()},
    thresholds={
        "99 % over 60 s": ThresholdSection(least_success_rate=0.99, window_s=60.0, interval_s=60.0),
    },
    fisher={"peeked Fisher": FisherSection()},
    recorded=True,
)
"""Without a file: the judge, the run's own thresholds, those of benchmarks/judge.py, and a peeked test."""


def read(path: Path | None) -> Policy:
    """The policy of a file, or the default. BadInputError with the line of what is wrong."""
    return DEFAULT if path is None else yaml_file.read(path, Policy, hint=HINT)
