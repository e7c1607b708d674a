"""A run's folder becomes the view model; the same for the same bundle, wherever and whenever it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rollbook.bundle.images import Described
from rollbook.bundle.load import Evidence, load
from rollbook.bundle.manifest import evidence_sha256
from rollbook.bundle.run_record import TimingRecord
from rollbook.evidence.folder import RunFolder
from rollbook.report import cases, formats, measured, record_tables
from rollbook.report.canary_view import CanaryView, canary_view
from rollbook.report.cost_view import cost_view
from rollbook.report.coverage_view import coverage_view
from rollbook.report.drills_view import drill_table
from rollbook.report.experiment_view import experiment_views
from rollbook.report.failed_requests_view import Kept, read_kept
from rollbook.report.headline import build_headline, why
from rollbook.report.images_view import image_table, read_images
from rollbook.report.measured import Measured
from rollbook.report.model import SCHEMA, JournalView, Outcome, TimeShare, ViewModel
from rollbook.report.panels_view import dashboards_view
from rollbook.report.places import Places
from rollbook.report.records_view import LogView, file_table, log_views, record_groups
from rollbook.report.replay_view import replay_table
from rollbook.report.texts import clean, short

CANARIES_SHOWN = 16
DISCLOSURES_SHOWN = 40


@dataclass(frozen=True)
class Given:
    """What the page is made from beside the evidence; `digest` is that of the evidence, SHA-256 in hex."""

    measured: Measured = field(default_factory=Measured)
    digest: str = ""
    logs: tuple[LogView, ...] = ()
    kept: Mapping[str, Kept] = field(default_factory=dict)
    """What was kept of single requests, by phase."""
    problems: tuple[str, ...] = ()
    images: Mapping[str, Described | None] = field(default_factory=dict)
    """Inventory and provenance of images, by digest."""


def build(folder: RunFolder, *, base: str = "") -> ViewModel:
    """Read a run's folder and work out the page.

    BadInputError and EvidenceInvalidError when `run.json` cannot be read.
    """
    evidence = load(folder)
    digest = evidence_sha256(folder.path)
    problems: list[str] = []
    kept = {name: found for name in evidence.phases if (found := read_kept(folder.path, name, problems))}
    logs = log_views(folder.path, evidence)
    given = Given(
        measured.read(folder.path, digest), digest, logs, kept, tuple(problems), read_images(folder.path)
    )
    return view_model(evidence, given, base=base)


def view_model(evidence: Evidence, given: Given, *, base: str = "") -> ViewModel:
    """Work out the page; `base` is put before links to files of the bundle (empty, or ends with `/`)."""
    run, places, problems = evidence.run, Places(evidence), [*given.measured.problems, *given.problems]
    canaries = _canaries(evidence, places, problems, given)
    coverage = coverage_view(given.measured.coverage, given.measured.requirements, places)
    headline = build_headline(evidence, canaries, coverage, problems)
    model = ViewModel(
        schema=SCHEMA,
        base=base,
        run_id=short(evidence.run_id),
        title=f"{headline.title} · {short(evidence.run_id)}",
        service=short(run.service.name) or "unnamed service",
        target=short(run.target) or "unknown",
        started=run.started.isoformat(timespec="seconds") if run.started else "",
        began=formats.date_time(run.started),
        took=formats.seconds(run.timing.total_s),
        total_s=run.timing.total_s,
        emulated=short(", ".join(part.name for part in run.components if part.emulated), 300),
        commit=short(run.commit.sha),
        commit_dirty=run.commit.dirty,
        rollbook=short(run.rollbook),
        outcome=Outcome(run.outcome.exit_code, run.outcome.sentence),
        journal=JournalView(evidence.seal.state.value, evidence.seal.sentence),
        headline=headline,
        phases=cases.phase_views(evidence),
        gates=cases.gate_views(evidence, places),
        drills=drill_table(run.phases, {view.name: view.anchor for view in canaries}, places),
        canaries=canaries,
        coverage=coverage,
        steps=record_tables.step_table(evidence.entries, places),
        waits=record_tables.wait_table(evidence.entries, places),
        time_share=_time_share(run.timing),
        components=record_tables.component_table(run, places),
        disclosures=run.disclosures[:DISCLOSURES_SHOWN],
        cost=cost_view(run, evidence.answers, places),
        parameters=record_tables.parameter_table(run, places),
        provenance=record_tables.provenance_table(
            evidence, coverage.source if coverage else "", given.digest, places
        ),
        images=image_table(run.phases, given.images, places),
        logs=given.logs,
        experiments=experiment_views(run.phases, evidence.entries, places),
        dashboards=dashboards_view(evidence, canaries, places),
        # Last, for what is referred to above must be listed here.
        records=record_groups(evidence.answers, places, base),
        files=file_table(evidence.files, base),
    )
    return clean(model)


def _canaries(
    evidence: Evidence, places: Places, problems: list[str], given: Given
) -> tuple[CanaryView, ...]:
    run = evidence.run
    found = [phase for phase in run.phases if phase.is_canary and phase.outcome != "skipped"]
    if len(found) > CANARIES_SHOWN:
        problems.append(f"Of {len(found):,} canaries the first {CANARIES_SHOWN} are shown.")
    views = (
        canary_view(
            phase,
            evidence.entries,
            evidence.phase(phase.name),
            run.service,
            number,
            places,
            given.kept.get(phase.name),
        )
        for number, phase in enumerate(found[:CANARIES_SHOWN], start=1)
    )
    return tuple(
        replace(view, why=why(view), replay=replay_table(given.measured.replay.get(view.name), places))
        for view in views
    )


def _time_share(timing: TimingRecord) -> TimeShare | None:
    total, declared = timing.total_s, timing.declared_s
    if not total or declared is None:
        return None
    own = timing.own_s if timing.own_s is not None else total - declared
    share = timing.own_share if timing.own_share is not None else own / total
    return TimeShare(
        declared_percent=round(max(0.0, min(100.0, declared / total * 100)), 1),
        own_percent=round(max(0.0, min(100.0, share * 100)), 1),
        sentence=(
            f"Of {formats.seconds(total)} in all, {formats.seconds(declared)} were declared waits; "
            f"{formats.seconds(own)} ({formats.share(share)}) were rollbook's own."
        ),
    )
