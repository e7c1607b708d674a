"""Requirements and what became of each, as the page shows them: the matrix, implications, contradictions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.coverage.model import Coverage, Finding, Result, State
from rollbook.coverage.requirement import Contradiction, Requirement, Requirements
from rollbook.report.places import ALL, Places
from rollbook.report.tables import Ref
from rollbook.report.texts import short

STATE_TONES = {
    State.PROVED: "good",
    State.FAILED: "bad",
    State.NO_DATA: "warn",
    State.STALE: "warn",
    State.NOT_EXERCISED: "muted",
    State.DEFERRED: "muted",
    State.SKIPPED: "muted",
}
FINDINGS_LISTED = 6
REFS_LISTED = 4
ADR = re.compile(r"(?:.*/)?(\d{4})-([\w-]+)\.md")


@dataclass(frozen=True)
class CheckView:
    """The answer of one check, with links to what it rests on."""

    check: str
    state: str
    sentence: str
    refs: tuple[Ref, ...] = ()
    times: int = 1
    """How many checks, with different arguments, gave this very answer."""


@dataclass(frozen=True)
class RequirementView:
    """One requirement. `state`, `delivery` and `sentence` are empty when no coverage was computed."""

    id: str
    text: str
    kind: str
    step: str
    layer: str
    source: str
    via: str = ""
    state: str = ""
    tone: str = ""
    delivery: str = ""
    sentence: str = ""
    checks: tuple[CheckView, ...] = ()
    implications: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """Anchor of its row in the matrix."""
        return f"q-{word(self.id)}"


@dataclass(frozen=True)
class ContradictionView:
    """Requirements that pull in different directions; `between` are ids and whether the matrix has them."""

    id: str
    title: str
    between: tuple[Ref, ...]
    tension: str
    stance: str
    decision: str = ""


@dataclass(frozen=True)
class DecisionView:
    """A decision record that a contradiction names: its number, title, path, and records of its text."""

    path: str
    title: str
    refs: tuple[Ref, ...]
    contradictions: tuple[str, ...]


@dataclass(frozen=True)
class CountView:
    """How many requirements have one value of a property."""

    name: str
    number: int
    tone: str = ""


@dataclass(frozen=True)
class CoverageView:
    """The whole matrix. `states` counts all states in a fixed order, also those with none."""

    source: str
    requirements: tuple[RequirementView, ...]
    states: tuple[CountView, ...]
    kinds: tuple[CountView, ...]
    layers: tuple[CountView, ...]
    deliveries: tuple[CountView, ...]
    contradictions: tuple[ContradictionView, ...]
    decisions: tuple[DecisionView, ...]
    notes: tuple[str, ...]
    computed: bool
    """Whether states were computed, or the requirements are all there is."""

    @property
    def proved(self) -> int:
        """How many are proved."""
        return next((one.number for one in self.states if one.name == State.PROVED), 0)


def coverage_view(
    coverage: Coverage | None, requirements: Requirements | None, places: Places
) -> CoverageView | None:
    """Lay out coverage, requirements, or both; None without either."""
    if coverage is None and requirements is None:
        return None
    contradictions = requirements.contradictions if requirements else ()
    of = _contradictions_by_requirement(contradictions)
    if coverage is not None:
        rows = tuple(
            _row(one.requirement, of.get(one.requirement.id, ()), one, places) for one in coverage.results
        )
    else:
        listed = requirements.requirements if requirements else ()
        rows = tuple(_row(one, of.get(one.id, ()), None, places) for one in listed)
    known = {row.id for row in rows}
    return CoverageView(
        source=requirements.source if requirements else "",
        requirements=rows,
        states=tuple(CountView(state.value, coverage.count(state), STATE_TONES[state]) for state in State)
        if coverage
        else (),
        kinds=_counted([row.kind for row in rows]),
        layers=_counted([row.layer for row in rows]),
        deliveries=_counted([row.delivery for row in rows if row.delivery]),
        contradictions=tuple(_contradiction(one, known) for one in contradictions),
        decisions=_decisions(contradictions, places),
        notes=coverage.notes if coverage else (),
        computed=coverage is not None,
    )


def word(text: str) -> str:
    """A value as part of a class name or an anchor: letters, digits and `-`."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", text[:60])


def _row(
    requirement: Requirement, contradictions: tuple[str, ...], result: Result | None, places: Places
) -> RequirementView:
    return RequirementView(
        id=short(requirement.id),
        text=requirement.text,
        kind=requirement.kind.value,
        step=short(requirement.step),
        layer=short(requirement.layer),
        source=short(requirement.source),
        via=requirement.via,
        state=result.state.value if result else "",
        tone=STATE_TONES[result.state] if result else "",
        delivery=result.delivery.value if result else "",
        sentence=result.sentence if result else "",
        checks=_checks(result.findings, places) if result else (),
        implications=requirement.implications,
        contradictions=contradictions,
    )


def _checks(findings: Sequence[Finding], places: Places) -> tuple[CheckView, ...]:
    """The answers, those that say the same put together."""
    same: dict[tuple[str, State, str], list[Finding]] = {}
    for one in findings:
        same.setdefault((one.check, one.state, one.sentence), []).append(one)
    return tuple(
        CheckView(
            short(check),
            state.value,
            sentence,
            _refs([ref.path for one in alike for ref in one.evidence], places),
            len(alike),
        )
        for (check, state, sentence), alike in list(same.items())[:FINDINGS_LISTED]
    )


def _refs(paths: Sequence[str], places: Places) -> tuple[Ref, ...]:
    found = dict.fromkeys(ref for path in dict.fromkeys(paths) for ref in places.file(path, _label(path)))
    refs = list(found)
    more = len(refs) - REFS_LISTED
    if more > 0:
        refs = refs[:REFS_LISTED]
        refs[-1] = Ref(f"{refs[-1].label} and {more} more", refs[-1].anchor)
    return tuple(refs)


def _label(path: str) -> str:
    """A file by its name; a record by the first digits of its digest."""
    name = path.rpartition("/")[2]
    if path == ALL:
        return ""
    return name[:8] if path.startswith("evidence/sha256/") else short(name, 40)


def _contradiction(one: Contradiction, known: set[str]) -> ContradictionView:
    return ContradictionView(
        id=short(one.id),
        title=one.title,
        between=tuple(
            Ref(short(identity), f"q-{word(identity)}" if short(identity) in known else "")
            for identity in one.between
        ),
        tension=one.tension,
        stance=one.stance,
        decision=one.decision_record,
    )


def _decisions(contradictions: Sequence[Contradiction], places: Places) -> tuple[DecisionView, ...]:
    paths = sorted({one.decision_record for one in contradictions if one.decision_record})
    return tuple(
        DecisionView(
            path=path,
            title=_title(path),
            refs=places.project_file(path),
            contradictions=tuple(short(one.id) for one in contradictions if one.decision_record == path),
        )
        for path in paths
    )


def _title(path: str) -> str:
    """`docs/adr/0003-traefik-as-the-edge.md` is called `0003: traefik as the edge`."""
    found = ADR.fullmatch(path)
    return f"{found[1]}: {found[2].replace('-', ' ')}" if found else short(path)


def _contradictions_by_requirement(contradictions: Sequence[Contradiction]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in contradictions:
        for identity in one.between:
            found[identity] = (*found.get(identity, ()), short(one.id))
    return found


def _counted(values: Sequence[str]) -> tuple[CountView, ...]:
    return tuple(CountView(value, values.count(value)) for value in dict.fromkeys(values))
