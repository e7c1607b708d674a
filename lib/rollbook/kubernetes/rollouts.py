"""Argo Rollouts' JSON turned into the domain's words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rollbook.domain.rollout import AnalysisRun, Measurement, MetricResult, RolloutStatus, Step
from rollbook.errors import EnvironmentFailedError

HASH_LABEL = "rollouts-pod-template-hash"
REVISION_ANNOTATION = "rollout.argoproj.io/revision"

Json = Mapping[str, Any]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def time_of(text: object) -> datetime | None:
    """An RFC 3339 time of the API, aware, UTC; None when absent."""
    if not isinstance(text, str) or not text:
        return None
    return datetime.fromisoformat(text).astimezone(UTC)


def duration_of(value: object) -> float | None:
    """Seconds of Argo's pause duration: a number, or Go's `1m30s`; None when absent (an open pause).

    EnvironmentFailedError when it is neither.
    """
    if value is None or value == "":
        return None
    text = str(value)
    if text.isdigit():
        return float(text)
    if not re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        raise EnvironmentFailedError(
            f"the Rollout has a pause of {text!r}",
            why="that is no duration",
            next_step="Write it as seconds or as 1m30s.",
        )
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


def rollout_status(rollout: Json, *, container: str = "") -> RolloutStatus:
    """The status of a Rollout.

    `container` names the container of the template whose image is told; the first one when it is empty
    or not there.
    """
    metadata, spec, status = rollout["metadata"], rollout.get("spec", {}), rollout.get("status", {})
    canary = status.get("canary") or {}
    weights = canary.get("weights") or {}
    return RolloutStatus(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        phase=status.get("phase", "Progressing"),
        message=status.get("message", ""),
        stable_hash=status.get("stableRS", ""),
        current_hash=status.get("currentPodHash", ""),
        weight=int((weights.get("canary") or {}).get("weight") or 0),
        step_index=status.get("currentStepIndex"),
        step_count=len(_steps(spec)),
        paused=bool(spec.get("paused") or status.get("pauseConditions") or status.get("controllerPause")),
        aborted=bool(status.get("abort")),
        aborted_at=time_of(status.get("abortedAt")),
        generation=int(metadata.get("generation") or 0),
        observed_generation=int(status.get("observedGeneration") or 0),
        replicas=int(status.get("replicas") or 0),
        ready_replicas=int(status.get("readyReplicas") or 0),
        image=_image(spec, container),
        background_run=(canary.get("currentBackgroundAnalysisRunStatus") or {}).get("name", ""),
        progress_deadline_s=_deadline(spec),
    )


def _deadline(spec: Json) -> float | None:
    """Seconds after which Argo is to abort a rollout without progress; 600 is Argo's own default."""
    return float(spec.get("progressDeadlineSeconds") or 600) if spec.get("progressDeadlineAbort") else None


def strategy_steps(rollout: Json) -> tuple[Step, ...]:
    """The canary steps of a Rollout's spec; steps of other kinds (analysis, experiment) stay empty."""
    steps = []
    for step in _steps(rollout.get("spec", {})):
        if "setWeight" in step:
            steps.append(Step(set_weight=int(step["setWeight"])))
        elif "pause" in step:
            steps.append(Step(pause_s=duration_of((step["pause"] or {}).get("duration")), pauses=True))
        else:
            steps.append(Step())
    return tuple(steps)


def owned_by(thing: Json, kind: str, name: str) -> bool:
    """Whether an object has an owner of that kind and name."""
    owners = thing.get("metadata", {}).get("ownerReferences") or []
    return any(owner.get("kind") == kind and owner.get("name") == name for owner in owners)


def stable_template(rollout: Json, replica_sets: Sequence[Json]) -> dict[str, Any] | None:
    """Pod template of the stable ReplicaSet, without the label that Argo adds; None when it is gone."""
    name, stable = rollout["metadata"]["name"], rollout.get("status", {}).get("stableRS", "")
    for replica_set in replica_sets:
        labels = replica_set["metadata"].get("labels") or {}
        if not stable or labels.get(HASH_LABEL) != stable or not owned_by(replica_set, "Rollout", name):
            continue
        template: dict[str, Any] = dict(replica_set["spec"]["template"])
        metadata = {key: value for key, value in template.get("metadata", {}).items() if value is not None}
        kept = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
        template["metadata"] = {**metadata, "labels": kept}
        return template
    return None


def analysis_run(run: Json) -> AnalysisRun:
    """An AnalysisRun, its metrics joined with their specification (query, conditions)."""
    metadata, spec, status = run["metadata"], run.get("spec", {}), run.get("status", {})
    arguments = {
        argument["name"]: str(argument["value"])
        for argument in spec.get("args") or []
        if argument.get("value") is not None
    }
    results = {result["name"]: result for result in status.get("metricResults") or []}
    metrics = tuple(
        _metric(metric, results.get(metric["name"], {}), arguments) for metric in spec.get("metrics") or []
    )
    completed = time_of(status.get("completedAt"))
    ends = [measured.finished_at for metric in metrics for measured in metric.measurements]
    ended = status.get("phase") in {"Successful", "Failed", "Error", "Inconclusive"}
    return AnalysisRun(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        phase=status.get("phase", "Pending"),
        message=status.get("message", ""),
        started_at=time_of(status.get("startedAt")) or time_of(metadata.get("creationTimestamp")),
        finished_at=completed or (max((end for end in ends if end), default=None) if ended else None),
        metrics=metrics,
        rollout_revision=(metadata.get("annotations") or {}).get(REVISION_ANNOTATION, ""),
    )


def _metric(metric: Json, result: Json, arguments: Mapping[str, str]) -> MetricResult:
    query = str((metric.get("provider", {}).get("prometheus") or {}).get("query", ""))
    return MetricResult(
        name=metric["name"],
        phase=result.get("phase", "Pending"),
        query=_filled(query, arguments),
        success_condition=_filled(metric.get("successCondition", ""), arguments),
        failure_condition=_filled(metric.get("failureCondition", ""), arguments),
        failure_limit=_filled(str(metric.get("failureLimit", "")), arguments),
        successful=int(result.get("successful") or 0),
        failed=int(result.get("failed") or 0),
        inconclusive=int(result.get("inconclusive") or 0),
        errors=int(result.get("error") or 0),
        measurements=tuple(
            Measurement(
                started_at=time_of(measured.get("startedAt")),
                finished_at=time_of(measured.get("finishedAt")),
                phase=measured.get("phase", ""),
                value=str(measured.get("value", "")),
                message=measured.get("message", ""),
            )
            for measured in result.get("measurements") or []
        ),
        message=result.get("message", ""),
    )


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    """Argo's `{{args.name}}` filled in; an argument from a Secret stays as it is written."""

    def value(match: re.Match[str]) -> str:
        return arguments.get(match.group(1), match.group(0))

    return re.sub(r"\{\{\s*args\.([\w.-]+?)\s*\}\}", value, text)


def _steps(spec: Json) -> list[Json]:
    return list(((spec.get("strategy") or {}).get("canary") or {}).get("steps") or [])


def _image(spec: Json, container: str) -> str:
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    named = [one for one in containers if one.get("name") == container]
    return str((named or containers or [{}])[0].get("image", ""))
