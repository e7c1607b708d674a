"""AnalysisRuns from the Kubernetes objects in a run's folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rollbook.domain.rollout import AnalysisRun, Measurement, MetricResult

REVISION = "rollout.argoproj.io/revision"


def parse_analysis_run(manifest: Mapping[str, Any]) -> AnalysisRun:
    """An AnalysisRun from its JSON; what is not there is empty or None."""
    metadata = _object(manifest.get("metadata"))
    spec = _object(manifest.get("spec"))
    status = _object(manifest.get("status"))
    arguments = {
        str(argument.get("name", "")): str(argument.get("value", ""))
        for argument in _objects(spec.get("args"))
    }
    declared = {str(metric.get("name", "")): metric for metric in _objects(spec.get("metrics"))}
    results = _objects(status.get("metricResults"))
    measured = {str(result.get("name", "")): result for result in results}
    names = [*declared, *(name for name in measured if name not in declared)]
    return AnalysisRun(
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata.get("name", "")),
        phase=str(status.get("phase", "")),
        message=str(status.get("message", "")),
        started_at=_time(status.get("startedAt")) or _time(metadata.get("creationTimestamp")),
        finished_at=_time(status.get("completedAt")),
        metrics=tuple(
            _metric(name, declared.get(name, {}), measured.get(name, {}), arguments) for name in names
        ),
        rollout_revision=str(_object(metadata.get("annotations")).get(REVISION, "")),
    )


def _metric(
    name: str, declared: Mapping[str, Any], result: Mapping[str, Any], arguments: Mapping[str, str]
) -> MetricResult:
    prometheus = _object(_object(declared.get("provider")).get("prometheus"))
    return MetricResult(
        name=name,
        phase=str(result.get("phase", "")),
        query=_resolve(str(prometheus.get("query", "")), arguments).strip(),
        success_condition=_resolve(str(declared.get("successCondition", "")), arguments),
        failure_condition=_resolve(str(declared.get("failureCondition", "")), arguments),
        failure_limit=_resolve(str(declared.get("failureLimit", "")), arguments),
        successful=int(result.get("successful", 0)),
        failed=int(result.get("failed", 0)),
        inconclusive=int(result.get("inconclusive", 0)),
        errors=int(result.get("error", 0)),
        measurements=tuple(
            Measurement(
                started_at=_time(measurement.get("startedAt")),
                finished_at=_time(measurement.get("finishedAt")),
                phase=str(measurement.get("phase", "")),
                value=str(measurement.get("value", "")),
                message=str(measurement.get("message", "")),
            )
            for measurement in _objects(result.get("measurements"))
        ),
        message=str(result.get("message", "")),
    )


def _resolve(text: str, arguments: Mapping[str, str]) -> str:
    """Put the run's arguments where the template names them."""
    return re.sub(
        r"\{\{\s*args\.([\w-]+)\s*\}\}", lambda found: arguments.get(found[1], "") or found[0], text
    )


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        return None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> tuple[Mapping[str, Any], ...]:
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, Sequence) else ()
