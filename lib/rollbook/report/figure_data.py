"""The numbers of each figure as a table: what is drawn can be read, too."""

from __future__ import annotations

from collections.abc import Sequence

from rollbook.report import formats
from rollbook.report.analysis_view import TONES
from rollbook.report.judge_view import JudgeMetric
from rollbook.report.signals_view import SignalLine, SignalsView
from rollbook.report.tables import Cell, Column, Ref, Table, numbers, text
from rollbook.report.timeline import EDGE, Timeline


def timeline_data(timeline: Timeline, sources: tuple[Ref, ...]) -> Table:
    """Weight, requests, failures and p95 by side, one row a bin."""
    columns = [Column("Second", numeric=True), Column("Weight", numeric=True)]
    for lane in timeline.lanes:
        columns += numbers(f"{lane.side}: requests/s", f"{lane.side}: failed")
        if lane.side != EDGE:
            columns += numbers(f"{lane.side}: p95")
    rows = []
    for number, at in enumerate(timeline.bin_starts):
        current = [value for since, value in timeline.weights if since <= at][-1]
        row = [Cell(f"{at:.0f}"), Cell(formats.weight(current))]
        for lane in timeline.lanes:
            row += [Cell(formats.number(lane.rps[number], 3)), Cell(formats.count(lane.failed[number]))]
            if lane.side != EDGE:
                row.append(Cell(formats.seconds(lane.p95_s[number])))
        rows.append(tuple(row))
    return Table("Data of the timeline", tuple(columns), tuple(rows), sources=sources)


def moments_data(timeline: Timeline, sources: tuple[Ref, ...]) -> Table:
    """Argo's decisions, which the timeline shows as vertical lines."""
    return Table(
        "Argo Rollouts' decisions",
        (Column("Second", numeric=True), *text("Decision")),
        tuple((Cell(f"{mark.at_s:.1f}"), Cell(_moment(mark.label))) for mark in timeline.marks),
        sources=sources,
    )


def _moment(label: str) -> str:
    return f"weight {label}" if label.endswith("%") else label


def failures_data(timeline: Timeline, sources: tuple[Ref, ...]) -> Table:
    """Failed requests by side, one row a bin that has any."""
    return Table(
        "Data of the failed requests",
        (Column("Second", numeric=True), *numbers(*(lane.side for lane in timeline.lanes))),
        tuple(
            (Cell(f"{at:.0f}"), *(Cell(formats.count(lane.failed[number])) for lane in timeline.lanes))
            for number, at in enumerate(timeline.bin_starts)
            if any(lane.failed[number] for lane in timeline.lanes)
        ),
        sources=sources,
    )


def signals_data(view: SignalsView) -> Table:
    """Prometheus' signals, one row a time; of a bin, the lowest and the highest value."""
    notes = []
    if view.bin_s is not None:
        most = max(one.points for one in view.lines)
        notes.append(
            f"Up to {formats.count(most)} points a series, in bins of {formats.seconds(view.bin_s)}: each "
            "cell has the lowest and the highest value in its bin."
        )
    if view.left_out:
        notes.append(f"And {formats.counted(view.left_out, 'more series', 'more series')} in metrics/.")
    return Table(
        "Data of the signals",
        (Column("Second", numeric=True), *numbers(*(f"{one.signal}, {one.side}" for one in view.lines))),
        tuple(
            (Cell(f"{at:.0f}"), *(Cell(_value(one, number)) for one in view.lines))
            for number, at in enumerate(view.times)
        ),
        note=" ".join(notes),
        sources=view.sources,
    )


def _value(line: SignalLine, number: int) -> str:
    low = formats.in_unit(line.low[number], line.unit)
    high = formats.in_unit(line.high[number], line.unit) if line.high else low
    return low if low == high else f"{low} – {high}"


def judge_data(metrics: Sequence[JudgeMetric], sources: tuple[Ref, ...]) -> Table:
    """Every value of the analysis figure."""
    return Table(
        "Data of the analysis",
        (Column("Second", numeric=True), *text("Metric"), *numbers("Value", "Bounds"), *text("Phase")),
        tuple(
            (
                Cell(f"{at:.0f}"),
                Cell(metric.name),
                Cell(formats.number(value)),
                Cell(", ".join(formats.number(bound) for bound in metric.bounds) or formats.NONE),
                Cell(phase or formats.NONE, TONES.get(phase, "muted")),
            )
            for at, value, phase, metric in sorted(
                ((*point, metric) for metric in metrics for point in metric.points),
                key=lambda row: (row[0], row[3].name),
            )
        ),
        sources=sources,
    )
