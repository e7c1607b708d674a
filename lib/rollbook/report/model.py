"""The view model: everything that the page says, as plain data. The page is made from it and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.evidence.seal import Seal
from rollbook.report.canary_view import CanaryView
from rollbook.report.cases import Case, GateView, PhaseView, Totals, all_cases, count
from rollbook.report.cost_view import CostView
from rollbook.report.coverage_view import CoverageView
from rollbook.report.experiment_view import ExperimentView
from rollbook.report.headline import Headline
from rollbook.report.panels_view import DashboardsView
from rollbook.report.records_view import LogView, RecordGroup
from rollbook.report.tables import Table

SCHEMA = 1
"""Version of the model's shape; a page with a newer one is refused."""


@dataclass(frozen=True)
class Outcome:
    """How the run ended. `exit_code` is None when it has no end on record."""

    exit_code: int | None
    sentence: str


@dataclass(frozen=True)
class JournalView:
    """Whether the journal is `sealed`, `open` or `broken`, and a sentence about it."""

    state: str
    sentence: str


@dataclass(frozen=True)
class TimeShare:
    """Where the time went: parts in percent of the total, and a sentence."""

    declared_percent: float
    own_percent: float
    sentence: str


@dataclass(frozen=True)
class ViewModel:
    """The page. Tables and parts are None where there is nothing to put in.

    `base` stands before links to files of the bundle; it is empty when the page lies in the run's folder.
    """

    schema: int
    base: str
    run_id: str
    title: str
    service: str
    target: str
    started: str
    """ISO 8601, in UTC; empty when it is not recorded."""
    began: str
    took: str
    total_s: float | None
    emulated: str
    commit: str
    commit_dirty: bool | None
    rollbook: str
    outcome: Outcome
    journal: JournalView
    headline: Headline
    phases: tuple[PhaseView, ...]
    gates: tuple[GateView, ...]
    drills: Table | None
    canaries: tuple[CanaryView, ...]
    coverage: CoverageView | None
    steps: Table | None
    waits: Table | None
    time_share: TimeShare | None
    components: Table | None
    disclosures: tuple[str, ...]
    cost: CostView
    parameters: Table | None
    provenance: Table
    logs: tuple[LogView, ...]
    records: tuple[RecordGroup, ...]
    files: Table
    dashboards: DashboardsView | None = None
    experiments: tuple[ExperimentView, ...] = ()
    images: Table | None = None

    @property
    def cases(self) -> tuple[Case, ...]:
        """Phases and gates as the cases of a test report, and what went wrong beside them."""
        return all_cases(
            self.phases,
            self.gates,
            exit_code=self.outcome.exit_code,
            sentence=self.outcome.sentence,
            broken=self.journal.sentence if self.journal.state == Seal.BROKEN else "",
        )

    @property
    def totals(self) -> Totals:
        """Counts of the cases."""
        return count(self.cases)
