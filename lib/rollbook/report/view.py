"""All that the page shows, worked out from the evidence; pure, and the same for the same evidence."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.bundle.load import Evidence
from rollbook.bundle.run_record import TimingRecord
from rollbook.report import formats, record_tables
from rollbook.report.canary_view import CanaryView, canary_view
from rollbook.report.headline import Headline, build_headline
from rollbook.report.tables import Table


@dataclass(frozen=True)
class Stop:
    """A phase on the way through the run: its outcome's tone and its time."""

    name: str
    outcome: str
    tone: str
    seconds: str


@dataclass(frozen=True)
class TimeShare:
    """Where the time went: parts in percent of the total, and a sentence."""

    declared_percent: float
    own_percent: float
    sentence: str


@dataclass(frozen=True)
class PageView:
    """The page. Tables are None where there is nothing to put in."""

    title: str
    run_id: str
    service: str
    target: str
    began: str
    took: str
    emulated: str
    headline: Headline
    route: tuple[Stop, ...]
    canaries: tuple[CanaryView, ...]
    phases: Table | None
    steps: Table | None
    waits: Table | None
    time_share: TimeShare | None
    gates: Table | None
    components: Table | None
    disclosures: tuple[str, ...]
    parameters: Table | None
    provenance: Table
    files: Table


def page_view(evidence: Evidence, base: str = "") -> PageView:
    """Work out the page; `base` is put before links to files of the record (empty, or ends with `/`)."""
    run = evidence.run
    canaries = tuple(
        canary_view(phase, evidence.entries, evidence.phase(phase.name), run.service, number)
        for number, phase in enumerate(
            (phase for phase in run.phases if phase.is_canary and phase.outcome != "skipped"), start=1
        )
    )
    headline = build_headline(evidence, canaries)
    emulated = ", ".join(part.name for part in run.components if part.emulated)
    return PageView(
        title=f"{headline.title} · {evidence.run_id}",
        run_id=evidence.run_id,
        service=run.service.name or "unnamed service",
        target=run.target or "unknown",
        began=formats.date_time(run.started),
        took=formats.seconds(run.timing.total_s),
        emulated=emulated,
        headline=headline,
        route=tuple(
            Stop(
                phase.name,
                phase.outcome or "not finished",
                record_tables.OUTCOME_TONES.get(phase.outcome, "warn"),
                formats.seconds(phase.seconds),
            )
            for phase in run.phases
        ),
        canaries=canaries,
        phases=record_tables.phase_table(evidence, base),
        steps=record_tables.step_table(evidence.entries),
        waits=record_tables.wait_table(evidence.entries),
        time_share=_time_share(run.timing),
        gates=record_tables.gate_table(evidence.entries),
        components=record_tables.component_table(run),
        disclosures=run.disclosures,
        parameters=record_tables.parameter_table(run),
        provenance=record_tables.provenance_table(evidence),
        files=record_tables.file_table(evidence),
    )


def _time_share(timing: TimingRecord) -> TimeShare | None:
    total, declared = timing.total_s, timing.declared_s
    if not total or declared is None:
        return None
    own = timing.own_s if timing.own_s is not None else total - declared
    share = timing.own_share if timing.own_share is not None else own / total
    return TimeShare(
        declared_percent=max(0.0, min(100.0, declared / total * 100)),
        own_percent=max(0.0, min(100.0, share * 100)),
        sentence=(
            f"Of {formats.seconds(total)} in all, {formats.seconds(declared)} were declared waits; "
            f"{formats.seconds(own)} ({formats.share(share)}) were rollbook's own."
        ),
    )
