"""Keep what is seen while a rollout goes: events, AnalysisRuns, objects, metrics, logs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rollbook.domain.rollout import AnalysisRun, RolloutStatus
from rollbook.domain.service import Signal
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext
from rollbook.phases.versions import TEMPLATE_HASH, replica_set
from rollbook.ports import Series


def status_data(status: RolloutStatus) -> dict[str, Any]:
    """A Rollout's status as the journal keeps it."""
    return asdict(status)


class Watchkeeper:
    """Archives AnalysisRuns and events when they are seen, each once for each state it was seen in.

    AnalysisRuns are garbage-collected by Argo soon after they end, so they cannot be looked up afterwards.
    """

    def __init__(self, ctx: PhaseContext) -> None:
        self._ctx = ctx
        self._runs: dict[str, str] = {}
        self._measured: dict[str, int] = {}
        self._events: set[tuple[str, str, str]] = set()
        self._before = {event.uid for event in self._list_events()}
        self._old_runs = {
            run.name for run in ctx.world.cluster.analysis_runs(ctx.service.namespace, ctx.service.rollout)
        }

    def look(self) -> tuple[AnalysisRun, ...]:
        """Look once; the AnalysisRuns of this rollout as they are now."""
        service = self._ctx.service
        runs = tuple(
            run
            for run in self._ctx.world.cluster.analysis_runs(service.namespace, service.rollout)
            if run.name not in self._old_runs
        )
        for run in runs:
            self._archive(run)
        events = self._list_events()
        listed = self._ctx.journal.last_asked()
        for event in events:
            key = (event.uid, event.reason, event.message)
            if event.uid in self._before or key in self._events:
                continue
            self._events.add(key)
            data = {**asdict(event), **listed}
            self._ctx.journal.append(Kind.OBSERVATION, "event", data, source=event.reporter or "kubernetes")
        return runs

    def _list_events(self) -> tuple[Any, ...]:
        return self._ctx.world.cluster.events(self._ctx.service.namespace)

    def _archive(self, run: AnalysisRun) -> None:
        measured = sum(len(metric.measurements) for metric in run.metrics)
        if self._measured.get(run.name) != measured or self._runs.get(run.name) != run.phase:
            manifest = self._ctx.world.cluster.get("AnalysisRun", run.namespace, run.name)
            if manifest is not None:
                self._ctx.folder.write_object(self._ctx.phase, "AnalysisRun", run.name, manifest)
        self._measured[run.name] = measured
        if self._runs.get(run.name) != run.phase:
            self._runs[run.name] = run.phase
            self._ctx.journal.append(
                Kind.DECISION,
                "analysisrun",
                {
                    "name": run.name,
                    "phase": run.phase,
                    "message": run.message,
                    **self._ctx.journal.last_asked(),
                },
                source="argo-rollouts",
            )


def archive_objects(ctx: PhaseContext, hashes: dict[str, str]) -> None:
    """Keep the Rollout, its ReplicaSets, Services and pods as they are now."""
    service, cluster = ctx.service, ctx.world.cluster
    wanted = [
        ("Rollout", service.rollout),
        ("Service", service.stable_service),
        ("Service", service.canary_service),
    ]
    for kind, name in wanted:
        manifest = cluster.get(kind, service.namespace, name)
        if manifest is not None:
            ctx.folder.write_object(ctx.phase, kind, name, manifest)
    for template_hash in hashes.values():
        found = replica_set(ctx, template_hash)
        if found is not None:
            ctx.folder.write_object(ctx.phase, "ReplicaSet", found["metadata"]["name"], found)


def archive_pods(ctx: PhaseContext, template_hash: str) -> None:
    """Keep the pods of one ReplicaSet and the last lines that they logged."""
    cluster, namespace = ctx.world.cluster, ctx.service.namespace
    for pod in cluster.pods(namespace, f"{TEMPLATE_HASH}={template_hash}"):
        manifest = cluster.get("Pod", namespace, pod.name)
        if manifest is not None:
            ctx.folder.write_object(ctx.phase, "Pod", pod.name, manifest)
        try:
            text = cluster.pod_log(namespace, pod.name)
        except EnvironmentFailedError:
            continue  # it went between the list and the question
        ctx.folder.write_log(ctx.phase, pod.name, text)


def archive_metrics(
    ctx: PhaseContext, hashes: dict[str, str], *, start: datetime, end: datetime, window: str = "10s"
) -> int:
    """Keep each signal of the service for each side (`stable`, `canary`); the number of points kept."""
    kept = 0
    with ctx.journal.step("archive metrics", window=window) as step:
        for signal in ctx.service.signals:
            for side, template_hash in hashes.items():
                if template_hash:
                    kept += _archive_signal(ctx, signal, side, template_hash, start, end, window)
        step["points"] = kept
    return kept


def _archive_signal(
    ctx: PhaseContext,
    signal: Signal,
    side: str,
    template_hash: str,
    start: datetime,
    end: datetime,
    window: str,
) -> int:
    query = bound_query(
        signal.query, namespace=ctx.service.namespace, template_hash=template_hash, window=window
    )
    step_s = 1.0
    series = ctx.world.metrics.range(query, start=start, end=end, step_s=step_s)
    ctx.folder.write_metric(
        ctx.phase,
        f"{signal.name}.{side}",
        {
            "signal": signal.name,
            "side": side,
            "hash": template_hash,
            "query": query,
            "unit": signal.unit,
            "start": start.isoformat(),
            "end": end.isoformat(),
            "step_s": step_s,
            "series": [_series_json(one) for one in series],
        },
    )
    return sum(len(one.points) for one in series)


def bound_query(query: str, *, namespace: str, template_hash: str, window: str) -> str:
    """A signal's query with its place-holders filled in."""
    return query.replace("$namespace", namespace).replace("$hash", template_hash).replace("$window", window)


def _series_json(series: Series) -> dict[str, Any]:
    return {"labels": dict(series.labels), "points": [[time, value] for time, value in series.points]}
