"""How a run ended, from its record: counted once, told as JSON here, as Markdown and JUnit elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from rollbook.errors import EvidenceInvalidError, ExitCode
from rollbook.evidence.attempts import latest_attempts
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Entry, Kind, read_journal
from rollbook.evidence.seal import Seal, SealState, journal_state

SUMMARY_SCHEMA = 1
PHASE_KEYS = ("name", "runbook", "outcome", "exit_code", "expected", "verdict", "seconds", "sentence")


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
class GateResult:
    """A gate as the journal has it. `passed` is None when there was nothing to check."""

    phase: str
    name: str
    passed: bool | None
    expected: str
    got: str
    sentence: str


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


@dataclass(frozen=True)
class Story:
    """A run for CI: its record, its gates, and what they count for."""

    run: Mapping[str, Any]
    gates: tuple[GateResult, ...]
    cases: tuple[Case, ...]
    journal: SealState
    """Whether the journal is sealed, open or broken."""

    @property
    def totals(self) -> Totals:
        """Counts of the cases: the only place that counts."""
        states = [case.state for case in self.cases]
        return Totals(
            tests=len(states),
            failures=states.count(State.FAILED),
            errors=states.count(State.ERROR),
            skipped=states.count(State.SKIPPED),
        )

    @property
    def phases(self) -> tuple[Mapping[str, Any], ...]:
        """The phases of the record, and those of the plan that have left nothing there."""
        return phases_of(self.run)

    @property
    def exit_code(self) -> int | None:
        """The run's exit code; None when it has no end on record."""
        code = (self.run.get("outcome") or {}).get("exit_code")
        return None if code is None else int(code)

    @property
    def sentence(self) -> str:
        """How the run ended, in its own words."""
        return str((self.run.get("outcome") or {}).get("sentence") or "")


def tell(run: Mapping[str, Any], entries: Sequence[Entry], journal: SealState) -> Story:
    """What a record says: `run` is `run.json`, the others are its journal and the state of that. Pure."""
    gates = tuple(_gate(entry) for entry in latest_attempts(entries) if entry.kind is Kind.GATE)
    cases: list[Case] = []
    for phase in phases_of(run):
        cases.append(_phase_case(phase))
        cases += [_gate_case(gate) for gate in gates if gate.phase == phase["name"]]
    story = Story(run, gates, tuple(cases), journal)
    return Story(run, gates, (*cases, *_of_the_run(story)), journal)


def read(folder: RunFolder) -> Story:
    """What the record of a folder says. A journal that does not verify is told, and not raised."""
    path = folder.path / "journal.jsonl"
    entries: tuple[Entry, ...] = ()
    with suppress(EvidenceInvalidError):  # its state says so
        entries = read_journal(path)
    return tell(folder.read_run(), entries, journal_state(path))


def timing(run: Mapping[str, Any], ended: datetime) -> dict[str, float]:
    """Seconds in all, in declared waits (pauses of the strategy, lead times), and what is rollbook's own."""
    total = (ended - datetime.fromisoformat(run["started"])).total_seconds()
    declared = sum(float(phase.get("declared_s") or 0.0) for phase in run["phases"])
    own = max(0.0, total - declared)
    return {
        "total_s": round(total, 1),
        "declared_s": round(declared, 1),
        "own_s": round(own, 1),
        "own_share": round(own / total, 3) if total else 0.0,
    }


def summary(folder: RunFolder) -> dict[str, Any]:
    """The object that `rollbook run --json` prints.

    `verdicts` by phase, `requests` by phase and version (sent, failed), `seconds_to_detect` and
    `seconds_to_roll_back` of each canary that was rolled back (null where it does not apply), `gates`, and
    `totals` as `junit.xml` has them.
    """
    story = read(folder)
    run = story.run
    canaries = [phase for phase in run["phases"] if phase["runbook"] == "canary"]
    return {
        "schema": SUMMARY_SCHEMA,
        "run": run["id"],
        "folder": str(folder.path),
        "report": str(folder.report) if folder.report.exists() else None,
        "target": run.get("target"),
        "exit_code": story.exit_code,
        "sentence": (run.get("outcome") or {}).get("sentence"),
        "verdicts": {phase["name"]: phase.get("verdict") for phase in canaries},
        "requests": {phase["name"]: phase.get("users") for phase in canaries},
        "seconds_to_detect": {phase["name"]: phase.get("time_to_detect_s") for phase in canaries},
        "seconds_to_roll_back": {phase["name"]: phase.get("time_to_roll_back_s") for phase in canaries},
        "phases": [
            {**{key: phase.get(key) for key in PHASE_KEYS}, "attempts": attempts(phase)}
            for phase in run["phases"]
        ],
        "gates": [asdict(gate) for gate in story.gates],
        "journal": {"state": story.journal.state.value, "sentence": story.journal.sentence},
        "totals": asdict(story.totals),
        "timing": run.get("timing"),
    }


def phases_of(run: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The phases of a record, and those of its plan that were never begun because the run was cut off."""
    begun = {phase["name"] for phase in run["phases"]}
    missing = [one for one in run.get("plan") or () if one["name"] not in begun]
    return (*run["phases"], *({**one, "outcome": "skipped", "sentence": "not reached"} for one in missing))


def attempts(phase: Mapping[str, Any]) -> int:
    """How often a phase was begun in this run."""
    return len(phase.get("earlier") or ()) + (1 if phase.get("started") else 0)


def _gate(entry: Entry) -> GateResult:
    passed = entry.data.get("passed")
    return GateResult(
        phase=entry.phase,
        name=entry.name,
        passed=passed if isinstance(passed, bool) else None,
        expected=str(entry.data.get("expected", "")),
        got=str(entry.data.get("got", "")),
        sentence=str(entry.data.get("sentence", "")),
    )


def _phase_case(phase: Mapping[str, Any]) -> Case:
    outcome = str(phase.get("outcome") or "unfinished")
    return Case(
        phase=str(phase["name"]),
        name=f"phase {phase['name']}",
        state=OUTCOME_STATES.get(outcome, State.ERROR),
        seconds=float(phase.get("seconds") or 0.0),
        kind=outcome,
        message=str(phase.get("sentence") or "it has no outcome on record: the run was cut off"),
    )


def _gate_case(gate: GateResult) -> Case:
    return Case(
        phase=gate.phase,
        name=f"gate {gate.name}",
        state=GATE_STATES[gate.passed],
        seconds=0.0,
        kind="gate",
        message=gate.sentence,
        details=f"expected: {gate.expected}\nfound: {gate.got}",
    )


def _of_the_run(story: Story) -> tuple[Case, ...]:
    """What went wrong beside all phases: without it, a run that failed could look like one that passed."""
    told: list[Case] = []
    if story.journal.state is Seal.BROKEN:
        told.append(Case("run", "journal", State.ERROR, 0.0, "invalid", story.journal.sentence))
    wrong = any(case.state in {State.FAILED, State.ERROR} for case in story.cases)
    if story.exit_code is None and not wrong:
        told.append(Case("run", "run", State.ERROR, 0.0, "unfinished", "the run has no end on record"))
    elif story.exit_code not in {None, int(ExitCode.OK)} and not wrong:
        told.append(Case("run", "run", State.ERROR, 0.0, "failed", story.sentence))
    return tuple(told)
