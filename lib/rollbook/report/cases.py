"""How phases and gates ended, counted once, for the page, `summary.md`, `junit.xml` and `--json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from rollbook.bundle.load import Evidence
from rollbook.evidence.journal import Entry, Kind
from rollbook.report.formats import plain
from rollbook.report.places import Places
from rollbook.report.tables import Ref
from rollbook.report.texts import short


class State(StrEnum):
    """How a phase or a gate ended, in the words of test reports."""

    PASSED = "passed"
    FAILED = "failed"
    """It was looked at and refused."""
    ERROR = "error"
    """It could not be finished: the environment, an interruption, a bug."""
    SKIPPED = "skipped"


OUTCOME_STATES = {"passed": State.PASSED, "refused": State.FAILED, "skipped": State.SKIPPED}
GATE_STATES = {True: State.PASSED, False: State.FAILED, None: State.SKIPPED}


@dataclass(frozen=True)
class PhaseView:
    """A phase: `outcome` is empty while it has none. `seconds` of its last attempt."""

    name: str
    runbook: str
    outcome: str
    expected: str
    verdict: str
    exit_code: int | None
    seconds: float | None
    attempts: int
    sentence: str
    notebook_html: str = ""
    """Path of the executed notebook's page in the run's folder; empty when it is not there."""


@dataclass(frozen=True)
class GateView:
    """A gate as the journal has it. `passed` is None when there was nothing to check.

    `seconds` is what asking took as far as the record shows it: from the start of the step that it belongs
    to, or else from the first answer that it rests on; 0 where the record has neither.
    """

    phase: str
    name: str
    passed: bool | None
    expected: str
    got: str
    sentence: str
    seconds: float = 0.0
    refs: tuple[Ref, ...] = ()


@dataclass(frozen=True)
class Case:
    """One line of a test report: a phase or a gate. `seconds` is 0 where none were measured."""

    phase: str
    name: str
    state: State
    seconds: float
    kind: str
    """What it ended as, in one word: the phase's outcome, or `gate`."""
    message: str
    details: str = ""


@dataclass(frozen=True)
class Totals:
    """How many cases there are, and how many of each kind that did not pass."""

    tests: int
    failures: int
    errors: int
    skipped: int

    @property
    def passed(self) -> int:
        """How many passed."""
        return self.tests - self.failures - self.errors - self.skipped


def phase_views(evidence: Evidence) -> tuple[PhaseView, ...]:
    """The phases of the record, and those of its plan that were never begun because the run was cut off."""
    run = evidence.run
    kept = {file.path for file in evidence.files}
    begun = tuple(
        PhaseView(
            name=phase.name,
            runbook=phase.runbook,
            outcome=phase.outcome,
            expected=phase.expected,
            verdict=phase.verdict,
            exit_code=phase.exit_code,
            seconds=phase.seconds,
            attempts=len(phase.earlier) + (phase.started is not None),
            sentence=phase.sentence,
            notebook_html=phase.notebook_html if phase.notebook_html in kept else "",
        )
        for phase in run.phases
    )
    names = {phase.name for phase in begun}
    missing = (
        PhaseView(one.name, one.runbook, "skipped", "", "", None, None, 0, "not reached")
        for one in run.plan
        if one.name not in names
    )
    return (*begun, *missing)


def gate_views(evidence: Evidence, places: Places) -> tuple[GateView, ...]:
    """Gates in the order in which they were asked."""
    entries = evidence.entries
    return tuple(
        GateView(
            phase=entry.phase,
            name=entry.name,
            passed=_passed(entry.data),
            expected=plain(entry.data.get("expected")),
            got=plain(entry.data.get("got")),
            sentence=str(entry.data.get("sentence") or ""),
            seconds=_seconds(entries, number, evidence),
            refs=places.records(entry.data.get("evidence")),
        )
        for number, entry in enumerate(entries)
        if entry.kind is Kind.GATE
    )


def _passed(data: Mapping[str, Any]) -> bool | None:
    passed = data.get("passed")
    return passed if isinstance(passed, bool) else None


def _seconds(entries: Sequence[Entry], number: int, evidence: Evidence) -> float:
    gate = entries[number]
    before = [entry for entry in entries[:number] if entry.phase == gate.phase]
    open_since: list[datetime] = []
    for entry in before:
        if entry.kind is Kind.STEP and entry.data.get("state") == "started":
            open_since.append(entry.time)
        elif entry.kind is Kind.STEP and open_since:
            open_since.pop()
    if open_since:
        return _between(open_since[-1], gate.time)
    # An answer that was there before anything else happened was asked for something else, and used again.
    since = before[-1].time if before else gate.time
    named = gate.data.get("evidence")
    ids = set(named) if isinstance(named, list) else set()
    asked = [one.at for one in evidence.answers if one.id in ids and since <= one.at <= gate.time]
    return _between(min(asked), gate.time) if asked else 0.0


def _between(start: datetime, end: datetime) -> float:
    return round(max(0.0, (end - start).total_seconds()), 3)


def all_cases(
    phases: Sequence[PhaseView],
    gates: Sequence[GateView],
    *,
    exit_code: int | None,
    sentence: str,
    broken: str,
) -> tuple[Case, ...]:
    """Each phase with its gates, and what went wrong beside all phases.

    Without the last, a run that failed could look like one that passed. `exit_code` and `sentence` are the
    run's; `broken` says what is wrong with the journal, empty when nothing is.
    """
    cases: list[Case] = []
    for phase in phases:
        cases.append(_phase_case(phase))
        cases += [_gate_case(gate) for gate in gates if gate.phase == phase.name]
    wrong = any(case.state in {State.FAILED, State.ERROR} for case in cases)
    if broken:
        cases.append(Case("run", "journal", State.ERROR, 0.0, "invalid", broken))
    if exit_code is None and not wrong:
        cases.append(Case("run", "run", State.ERROR, 0.0, "unfinished", "the run has no end on record"))
    elif exit_code not in {None, 0} and not wrong:
        cases.append(Case("run", "run", State.ERROR, 0.0, "failed", sentence or "it does not say why"))
    return tuple(cases)


def count(cases: Sequence[Case]) -> Totals:
    """Counts of the cases: the only place that counts."""
    states = [case.state for case in cases]
    return Totals(
        tests=len(states),
        failures=states.count(State.FAILED),
        errors=states.count(State.ERROR),
        skipped=states.count(State.SKIPPED),
    )


def _phase_case(phase: PhaseView) -> Case:
    outcome = phase.outcome or "unfinished"
    return Case(
        phase=phase.name,
        name=f"phase {short(phase.name)}",
        state=OUTCOME_STATES.get(outcome, State.ERROR),
        seconds=phase.seconds or 0.0,
        kind=outcome,
        message=phase.sentence or "it has no outcome on record: the run was cut off",
    )


def _gate_case(gate: GateView) -> Case:
    return Case(
        phase=gate.phase,
        name=f"gate {short(gate.name)}",
        state=GATE_STATES[gate.passed],
        seconds=gate.seconds,
        kind="gate",
        message=gate.sentence,
        details=f"expected: {gate.expected}\nfound: {gate.got}",
    )
