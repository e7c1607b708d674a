"""What Argo's analysis measured over time: every value with its verdict, and the bounds it was held to."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.domain.rollout import AnalysisRun
from rollbook.report.texts import short
from rollbook.report.timeline import figure

BOUND = re.compile(r"result(?:\[0\])?\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)(?![\w.])")
METRICS_DRAWN = 8
POINTS_DRAWN = 400


@dataclass(frozen=True)
class JudgeMetric:
    """One metric of the AnalysisRuns: bounds from its conditions, and `(second, value, phase)` in order.

    `phase` is Argo's word for the measurement; a measurement without a number is not among them.
    """

    name: str
    bounds: tuple[float, ...]
    points: tuple[tuple[float, float, str], ...]


def judge_metrics(runs: Sequence[AnalysisRun], start_s: float) -> tuple[JudgeMetric, ...]:
    """The metrics that have a number to draw, by name; times in seconds from `start_s` (since the epoch)."""
    points: dict[str, list[tuple[float, float, str]]] = {}
    bounds: dict[str, set[float]] = {}
    for run in runs:
        for metric in run.metrics:
            condition = f"{metric.success_condition} {metric.failure_condition}"
            bounds.setdefault(metric.name, set()).update(
                float(number) for sign, number in BOUND.findall(condition)
            )
            for one in metric.measurements:
                moment, value = one.finished_at or one.started_at, _number(one.value)
                if moment is not None and value is not None:
                    at = figure(moment.timestamp() - start_s)
                    points.setdefault(metric.name, []).append((at, value, one.phase))
    return tuple(
        JudgeMetric(short(name), tuple(sorted(bounds[name])), tuple(sorted(points[name])[:POINTS_DRAWN]))
        for name in sorted(points)[:METRICS_DRAWN]
    )


def _number(recorded: str) -> float | None:
    """Argo records `[0.9981]`; None for what is no finite number."""
    try:
        value = float(recorded.strip("[] "))
    except ValueError:
        return None
    return figure(value) if math.isfinite(value) else None
