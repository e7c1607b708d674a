"""AnalysisRuns as the page shows them: every metric with its conditions, every measurement with its value."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.domain.rollout import AnalysisRun, Measurement, MetricResult
from rollbook.report import formats
from rollbook.report.tables import Cell, Column, Ref, Table, capped, numbers, text

MEASUREMENTS_LISTED = 240
METRICS_LISTED = 40
TONES = {"Successful": "good", "Failed": "bad", "Error": "bad", "Inconclusive": "warn"}


@dataclass(frozen=True)
class RunView:
    """One AnalysisRun: its outcome, a table of its metrics and one of all measurements."""

    name: str
    phase: str
    tone: str
    message: str
    metrics: Table
    queries: Table
    measurements: Table


def run_view(run: AnalysisRun, start_s: float, sources: tuple[Ref, ...] = ()) -> RunView:
    """Lay out one AnalysisRun; times are seconds from `start_s` (seconds since the epoch)."""
    measured = [
        row
        for _, row in sorted(
            (
                (str(one.finished_at or one.started_at or ""), _measurement_row(metric, one, start_s))
                for metric in run.metrics
                for one in metric.measurements
            ),
            key=lambda item: (item[0], item[1][1].text),
        )
    ]
    rows, note = capped(measured, MEASUREMENTS_LISTED, "the AnalysisRun's file")
    taken = sum(one.successful + one.failed + one.inconclusive + one.errors for one in run.metrics)
    if taken > len(measured):
        note = f"Argo Rollouts took {taken:,} and keeps the last ones of each metric. {note}".strip()
    metrics = run.metrics[:METRICS_LISTED]
    return RunView(
        name=run.name,
        phase=run.phase if run.ended else f"last seen {run.phase or 'without a phase'}",
        tone=TONES.get(run.phase, "muted"),
        # Of a run that Argo ended because nothing more was to be measured, it says "Run Terminated".
        message="" if run.phase == "Successful" else run.message,
        metrics=Table(
            f"Metrics of {run.name}",
            (
                *text("Metric", "Phase"),
                *numbers("Passed", "Failed", "Inconclusive", "Errors", "Failures allowed"),
            ),
            tuple(_metric_row(metric) for metric in metrics),
            sources=sources,
        ),
        queries=Table(
            f"Conditions and queries of {run.name}",
            text("Metric", "Succeeds when", "Fails when", "PromQL, as Argo Rollouts asked it"),
            tuple(
                (
                    Cell(metric.name),
                    Cell(metric.success_condition or formats.NONE, code=bool(metric.success_condition)),
                    Cell(metric.failure_condition or formats.NONE, code=bool(metric.failure_condition)),
                    Cell(metric.query or formats.NONE, code=True),
                )
                for metric in metrics
            ),
            sources=sources,
        ),
        measurements=Table(
            f"Measurements of {run.name}",
            (
                Column("Time", numeric=True),
                *text("Metric"),
                Column("Value", numeric=True),
                *text("Phase", "Message"),
            ),
            rows,
            note=note,
            sources=sources,
        ),
    )


def _metric_row(metric: MetricResult) -> tuple[Cell, ...]:
    return (
        Cell(metric.name),
        Cell(metric.phase or formats.NONE, TONES.get(metric.phase, "muted")),
        Cell(formats.count(metric.successful)),
        Cell(formats.count(metric.failed), "bad" if metric.failed else ""),
        Cell(formats.count(metric.inconclusive), "warn" if metric.inconclusive else ""),
        Cell(formats.count(metric.errors), "bad" if metric.errors else ""),
        Cell(metric.failure_limit or "0"),
    )


def _measurement_row(metric: MetricResult, one: Measurement, start_s: float) -> tuple[Cell, ...]:
    moment = one.finished_at or one.started_at
    return (
        Cell(f"{moment.timestamp() - start_s:.0f}\u00a0s" if moment else formats.NONE),
        Cell(metric.name),
        Cell(_value(one.value)),
        Cell(one.phase or formats.NONE, TONES.get(one.phase, "muted")),
        Cell(one.message or ""),
    )


def _value(recorded: str) -> str:
    """Argo records `[0.9981]`: the number alone, in four digits; anything else as it stands."""
    try:
        return formats.number(float(recorded.strip("[] ")))
    except ValueError:
        return recorded or formats.NONE
