"""Tables of one canary phase: what users got by version, the split, and the failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rollbook.bundle.run_record import ServiceRecord
from rollbook.domain.accounting import CONFIDENCE, SETTLING_S, ObservedSplit
from rollbook.domain.traffic import RequestRecord
from rollbook.report import formats
from rollbook.report.tables import Cell, Column, Ref, Table, numbers, text
from rollbook.report.texts import short
from rollbook.report.timeline import EDGE

if TYPE_CHECKING:  # the view is made of these tables
    from rollbook.report.canary_view import VersionView

FAILURES_LISTED = 40
VERSIONS_LISTED = 40


def _version_name(one: VersionView) -> str:
    return "no version answered" if one.side == EDGE else f"{short(one.version)} ({one.side})"


def version_table(versions: Sequence[VersionView], service: ServiceRecord, sources: tuple[Ref, ...]) -> Table:
    """Errors and latency by version, against the service level objective."""
    slo = service.slo
    rows = []
    for one in versions[:VERSIONS_LISTED]:
        share = one.failed / one.sent if one.sent else None
        too_many = slo.availability is not None and (share or 0.0) > 1 - slo.availability
        too_slow = slo.p95_s is not None and one.p95_s is not None and one.p95_s > slo.p95_s
        tone = "bad" if too_many else "" if one.failed else "good"
        rows.append(
            (
                Cell(_version_name(one)),
                Cell(formats.count(one.sent)),
                Cell(formats.count(one.failed), tone),
                Cell(formats.share(share), tone),
                Cell(formats.seconds(one.p50_s)),
                Cell(formats.seconds(one.p95_s), "bad" if too_slow else ""),
                Cell(formats.seconds(one.p99_s)),
                Cell(formats.seconds(one.slowest_s)),
            )
        )
    bounds = []
    if slo.availability is not None:
        bounds.append(f"at most {formats.bound(1 - slo.availability)} of requests may fail")
    if slo.p95_s is not None:
        bounds.append(f"p95 may be at most {formats.seconds(slo.p95_s)}")
    return Table(
        "Errors and latency by version, as users measured them",
        (*text("Version"), *numbers("Requests", "Failed", "Failed share", "p50", "p95", "p99", "Slowest")),
        tuple(rows),
        note=(f"Service level objective: {' and '.join(bounds)}. " if bounds else "")
        + "Latency counts from the moment a request was due, so a stall is charged to all that it delayed.",
        sources=sources,
    )


def split_table(seen: Sequence[ObservedSplit], start_s: float, sources: tuple[Ref, ...]) -> Table:
    """The share of requests that the canary answered, against the weight, with an exact interval."""
    verdicts = {True: Cell("fits", "good"), False: Cell("does not fit", "bad"), None: Cell("no data", "warn")}
    return Table(
        "The split that users saw against the weight that Argo Rollouts set",
        (
            *text("Seconds"),
            *numbers("Weight set", "Requests", "By the canary", "Share seen"),
            Column(f"{formats.bound(CONFIDENCE)} interval", numeric=True),
            *text("Verdict"),
        ),
        tuple(
            (
                Cell(f"{split.interval.start_s - start_s:.0f} – {split.interval.end_s - start_s:.0f}"),
                Cell(formats.weight(split.interval.weight)),
                Cell(formats.count(split.answered)),
                Cell(formats.count(split.canary)),
                Cell(formats.share(split.share)),
                Cell(
                    formats.NONE
                    if split.low is None
                    else f"{formats.share(split.low)} – {formats.share(split.high)}"
                ),
                verdicts[split.agrees],
            )
            for split in seen
        ),
        note=f"Counted from the version header of each answer, without the first {SETTLING_S:g} seconds "
        "of each weight, in which the edge follows. The interval is Clopper and Pearson's, which is exact.",
        sources=sources,
    )


def cause_table(versions: Sequence[VersionView], sources: tuple[Ref, ...]) -> Table | None:
    """Failed requests by cause; None when none failed."""
    rows = tuple(
        (
            Cell(cause),
            Cell(_version_name(one)),
            Cell(formats.count(number)),
            Cell(formats.share(number / one.sent)),
        )
        for one in versions
        for cause, number in one.by_cause
    )
    if not rows:
        return None
    columns = (*text("Cause", "Answered by"), *numbers("Requests", "Share of its requests"))
    return Table("Failed requests by cause", columns, rows, sources=sources)


def failure_table(traffic: Sequence[RequestRecord], start_s: float, sources: tuple[Ref, ...]) -> Table | None:
    """Failures by second, cause, status and version; None when none failed."""
    moments = Counter(
        (int(record.scheduled_s - start_s), record.cause.value, record.status, record.version)
        for record in traffic
        if record.failed
    )
    if not moments:
        return None
    listed = sorted(moments.items())[:FAILURES_LISTED]
    more = len(moments) - len(listed)
    return Table(
        "Failed requests by moment",
        (
            Column("Second", numeric=True),
            *text("Cause"),
            Column("Status", numeric=True),
            *text("Answered by"),
            Column("Requests", numeric=True),
        ),
        tuple(
            (
                Cell(f"{second}\u00a0s"),
                Cell(cause),
                Cell(str(status) if status else formats.NONE),
                Cell(short(version) or "no version"),
                Cell(formats.count(number)),
            )
            for (second, cause, status, version), number in listed
        ),
        note=f"{more} later rows are in the traffic log." if more else "",
        sources=sources,
    )
