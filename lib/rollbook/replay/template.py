"""The threshold rule that a recorded AnalysisRun had, read from its Kubernetes object."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from rollbook.replay.course import Threshold

SUCCESS_RATE = "success-rate"
"""Name of the metric in k8s/rollouts/analysis.yaml."""
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(text: str) -> float:
    """A duration of Prometheus or Kubernetes, such as `90s` or `1m30s`, in seconds. ValueError for none."""
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|[smhd]))+", text):
        raise ValueError(f"{text!r} is no duration")
    return sum(float(one[0]) * UNITS_S[one[2]] for one in re.findall(r"(\d+(\.\d+)?)(ms|[smhd])", text))


def threshold_of(manifest: Mapping[str, Any]) -> Threshold | None:
    """The rule of an AnalysisRun that was made from the project's templates.

    None for one whose bounds are written otherwise than as the arguments of k8s/rollouts/analysis.yaml: what
    an expression of another shape means is not guessed.
    """
    try:
        spec = manifest["spec"]
        arguments = {str(one["name"]): str(one.get("value", "")) for one in spec["args"]}
        metric = next(one for one in spec["metrics"] if one["name"] == SUCCESS_RATE)
        slow = arguments.get("most-p95-seconds")
        rule = Threshold(
            least_success_rate=float(arguments["least-success-rate"]),
            window_s=seconds(arguments["window"]),
            minimum_requests=float(arguments["minimum-requests"]),
            interval_s=seconds(_resolved(str(metric["interval"]), arguments)),
            initial_delay_s=seconds(_resolved(str(metric.get("initialDelay", "0s")), arguments)),
            failure_limit=int(metric.get("failureLimit", 0)),
            inconclusive_limit=int(metric.get("inconclusiveLimit", 0)),
            most_p95_s=None if slow is None else float(slow),
        )
    except (KeyError, TypeError, ValueError, StopIteration, AttributeError):
        return None
    numbers = (rule.least_success_rate, rule.minimum_requests, rule.most_p95_s or 0.0)
    good = all(map(math.isfinite, numbers)) and rule.window_s > 0 and rule.interval_s > 0
    return rule if good else None


def _resolved(text: str, arguments: Mapping[str, str]) -> str:
    return re.sub(r"\{\{\s*args\.([\w-]+)\s*\}\}", lambda found: arguments.get(found[1], ""), text)
