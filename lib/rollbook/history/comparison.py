"""What changed between two runs. Pure: the facts of both go in, changes with their reasons come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rollbook.coverage.model import State
from rollbook.history import metrics
from rollbook.history.changes import Difference, differ
from rollbook.history.facts import PhaseFacts, RunFacts
from rollbook.history.look import formats
from rollbook.history.noise import RULES, Change
from rollbook.history.record import RequirementState

OWN_PARAMETERS = frozenset({"run", "name"})
"""Set by the launcher for each run: they say where it is, not how it was done."""
ABSENT = "absent"


@dataclass(frozen=True)
class Side:
    """One of the two runs: its folder, id, service and target, when it began, and how it ended."""

    folder: str
    run_id: str
    service: str
    target: str
    began: str
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """What changed from `before` to `after`, in the order in which a reader asks.

    `verdicts`, `metrics` name every phase that both runs have; the others name only what differs, and
    `unchanged` says how many parameters, versions, gates and requirements did not. `stale` are the
    requirements that are stale in one of the runs.
    """

    before: Side
    after: Side
    notes: tuple[str, ...]
    verdicts: tuple[Difference, ...]
    metrics: tuple[Difference, ...]
    gates: tuple[Difference, ...]
    parameters: tuple[Difference, ...]
    versions: tuple[Difference, ...]
    requirements: tuple[Difference, ...]
    stale: tuple[Difference, ...]
    unchanged: Mapping[str, int]
    coverage: bool
    """Whether both runs say what became of the requirements."""
    rules: tuple[str, ...] = RULES

    @property
    def worse(self) -> tuple[Difference, ...]:
        """All that became worse."""
        return self._all(Change.WORSE)

    @property
    def better(self) -> tuple[Difference, ...]:
        """All that became better."""
        return self._all(Change.BETTER)

    def _all(self, change: Change) -> tuple[Difference, ...]:
        parts = (self.verdicts, self.metrics, self.gates, self.requirements)
        return tuple(one for part in parts for one in part if one.change is change)


def compare(before: RunFacts, after: RunFacts) -> Comparison:
    """Compare two runs; the first is taken as the earlier one, whenever it was."""
    gates, same_gates = _changed(_gates(before, after))
    parameters, same_parameters = _changed(_parameters(before, after))
    versions, same_versions = _changed(_versions(before, after))
    requirements, same_requirements = _changed(_requirements(before, after))
    return Comparison(
        before=_side(before),
        after=_side(after),
        notes=_notes(before, after),
        verdicts=tuple(_verdicts(before, after)),
        metrics=metrics.of_runs(before, after),
        gates=gates,
        parameters=parameters,
        versions=versions,
        requirements=requirements,
        stale=tuple(_stale(before, after)),
        unchanged={
            "gates": same_gates,
            "parameters": same_parameters,
            "versions": same_versions,
            "requirements": same_requirements,
        },
        coverage=before.requirements is not None and after.requirements is not None,
    )


def _side(facts: RunFacts) -> Side:
    run = facts.run
    return Side(
        folder=str(facts.folder),
        run_id=facts.run_id,
        service=run.service.name,
        target=run.target,
        began=formats.date_time(run.started),
        sentence=run.outcome.sentence,
    )


def _notes(before: RunFacts, after: RunFacts) -> tuple[str, ...]:
    notes = []
    old, new = before.run, after.run
    if old.started and new.started and old.started > new.started:
        notes.append("The first run is the newer one: what is said to be slower was faster later on.")
    for what, of_old, of_new in (
        ("service", old.service.name, new.service.name),
        ("target", old.target, new.target),
    ):
        if of_old != of_new:
            notes.append(f"The runs have another {what}: {of_old or 'none'}, and {of_new or 'none'}.")
    for name, facts in (("first", before), ("second", after)):
        if facts.run.ended is None:
            notes.append(f"The {name} run has no end on record: it was cut off or is still under way.")
        if not facts.run.components:
            notes.append(f"The {name} run did not record its components: their versions are not compared.")
        if facts.requirements is None:
            notes.append(f"The {name} run has no coverage.json: its requirements are not known.")
        notes += [f"The {name} run: {note}" for note in facts.notes]
    return tuple(notes)


def _changed(found: Iterable[Difference]) -> tuple[tuple[Difference, ...], int]:
    """What differs, and how much does not."""
    every = tuple(found)
    kept = tuple(one for one in every if one.change is not Change.SAME)
    return kept, len(every) - len(kept)


def both(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    """Keys of either, in the order of the second, then what only the first has."""
    return (*after, *(key for key in before if key not in after))


def _verdicts(before: RunFacts, after: RunFacts) -> Iterable[Difference]:
    yield _verdict("", "run", _run_word(before), _run_word(after))
    for name in both(before.phases, after.phases):
        yield _verdict(
            name, "verdict", _phase_word(before.phases.get(name)), _phase_word(after.phases.get(name))
        )


def _run_word(facts: RunFacts) -> tuple[str, bool | None]:
    code = facts.run.outcome.exit_code
    if facts.run.ended is None or code is None:
        return "not finished", None
    return ("passed" if code == 0 else f"exit code {code}"), code == 0


def _phase_word(phase: PhaseFacts | None) -> tuple[str, bool | None]:
    if phase is None:
        return ABSENT, None
    record = phase.record
    word = record.verdict or record.outcome or "not finished"
    if record.verdict and record.outcome != "passed":
        word = f"{record.verdict}, {record.outcome or 'not finished'}"
    return word, None if record.outcome in {"", "skipped"} else record.outcome == "passed"


def _verdict(phase: str, name: str, old: tuple[str, bool | None], new: tuple[str, bool | None]) -> Difference:
    """A phase that is in one run only is different, and neither better nor worse."""
    change, word = Change.DIFFERENT, "changed"
    if ABSENT in (old[0], new[0]):
        word = "only in the second run" if old[0] == ABSENT else "only in the first run"
    elif old[0] == new[0]:
        change, word = Change.SAME, "same"
    elif old[1] is True:
        if new[1] is not True:
            change, word = Change.WORSE, "no longer passes"
    elif new[1] is True:
        change, word = Change.BETTER, "passes now"
    return Difference(phase, name, old[0], new[0], change, word)


def _gates(before: RunFacts, after: RunFacts) -> Iterable[Difference]:
    words = {True: "passed", False: "refused", None: "nothing to check"}
    for phase in both(before.phases, after.phases):
        if phase not in before.phases or phase not in after.phases:
            continue  # the verdicts say so
        old, new = before.phases[phase].gates, after.phases[phase].gates
        for gate in both(old, new):
            yield _verdict(
                phase,
                gate,
                (words[old[gate]], old[gate]) if gate in old else (ABSENT, None),
                (words[new[gate]], new[gate]) if gate in new else (ABSENT, None),
            )


def _parameters(before: RunFacts, after: RunFacts) -> Iterable[Difference]:
    for phase in both(before.phases, after.phases):
        if phase not in before.phases or phase not in after.phases:
            continue
        old, new = (facts.phases[phase].record.parameters for facts in (before, after))
        for name in both(old, new):
            if name not in OWN_PARAMETERS:
                yield differ(phase, name, old.get(name), new.get(name))


def _versions(before: RunFacts, after: RunFacts) -> Iterable[Difference]:
    for phase in both(before.phases, after.phases):
        if phase in before.phases and phase in after.phases:
            old, new = (facts.phases[phase].record for facts in (before, after))
            yield differ(phase, "stable version", old.stable.version, new.stable.version)
            yield differ(phase, "released version", old.release.version, new.release.version)
            yield differ(phase, "released digest", old.release.digest, new.release.digest)
    for name, of_old, of_new in (
        ("rollbook", before.run.rollbook, after.run.rollbook),
        ("commit", _commit(before), _commit(after)),
        ("python", before.run.python, after.run.python),
        ("platform", before.run.platform, after.run.platform),
        ("overlay", before.run.overlay, after.run.overlay),
    ):
        yield differ("", name, of_old, of_new)
    parts = [{part.name: part.version for part in facts.run.components} for facts in (before, after)]
    for name in both(*parts) if all(parts) else ():
        yield differ("", name, parts[0].get(name), parts[1].get(name))


def _commit(facts: RunFacts) -> str:
    commit = facts.run.commit
    return f"{commit.sha} with changes" if commit.dirty else commit.sha


def _requirements(before: RunFacts, after: RunFacts) -> Iterable[Difference]:
    if before.requirements is None or after.requirements is None:
        return
    for key in both(before.requirements, after.requirements):
        old, new = before.requirements.get(key), after.requirements.get(key)
        yield _requirement(key, old, new)


def _requirement(key: str, old: RequirementState | None, new: RequirementState | None) -> Difference:
    states = (old.state if old else ABSENT, new.state if new else ABSENT)
    change, word = Change.DIFFERENT, f"now {states[1]}"
    if old is None or new is None:
        word = "only in the second run" if old is None else "only in the first run"
    elif states[0] == states[1]:
        change, word = Change.SAME, "same"
    elif states[1] == State.PROVED:
        change = Change.BETTER
    elif states[0] == State.PROVED or states[1] == State.FAILED:
        change = Change.WORSE
    basis = new.sentence if new else ""
    text = (new.text if new else "") or (old.text if old else "")
    return Difference("", key, states[0], states[1], change, word, basis, text)


def _stale(before: RunFacts, after: RunFacts) -> Iterable[Difference]:
    old, new = before.requirements or {}, after.requirements or {}
    for key in both(old, new):
        states = [one[key].state if key in one else ABSENT for one in (old, new)]
        if State.STALE not in states:
            continue
        words = {
            (True, True): "stale in both runs",
            (False, True): "went stale",
            (True, False): "no longer stale",
        }
        word = words[states[0] == State.STALE, states[1] == State.STALE]
        stale = new[key] if states[1] == State.STALE else old[key]
        change = Change.SAME if states[0] == states[1] else Change.DIFFERENT
        yield Difference("", key, states[0], states[1], change, word, stale.sentence, stale.text)
