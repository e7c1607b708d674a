"""Requirements and a bundle in, coverage out.

A requirement is in the worst state of its findings, in this order: `failed`, `no-data`, `stale`,
`not-exercised`, `proved`. So it is proved only if every check of it holds. A person's decision (`deferred`,
`skipped`) stands before all checks.

Evidence is old (`stale`) when the requirement's text, a file that implements it or the code of a check is not
what it was when the run began: then nothing that was found is known of what is there now. States that rest on
no evidence do not become stale.

| state | the plan's word |
|---|---|
| proved | implemented; stubbed where what answered only stands in for the real system |
| deferred | stubbed when something is in its place, else skipped |
| skipped | skipped |
| any other | stubbed when files that implement it are there or something is in its place, else skipped |
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rollbook.coverage import registry
from rollbook.coverage.lookup import WHOLE, Bundle
from rollbook.coverage.model import Coverage, Delivery, EvidenceRef, Finding, Result, State
from rollbook.coverage.pins import Pins, changes, code_change
from rollbook.coverage.requirement import CheckCall, Requirement, Requirements

WORST_FIRST = (State.FAILED, State.NO_DATA, State.STALE, State.NOT_EXERCISED, State.PROVED)
ON_EVIDENCE = (State.PROVED, State.FAILED)
NO_PINS = (
    "The run kept no pins (pins.json), so that nobody can tell whether its evidence is older than what it is "
    "asked to prove."
)
_LONGEST = 900


def assess(
    requirements: Requirements,
    bundle: Bundle,
    *,
    pins: Pins | None,
    now: Pins | None = None,
    earlier: Coverage | None = None,
    notes: tuple[str, ...] = (),
) -> Coverage:
    """Say of each requirement how far the evidence proves it.

    `pins`: what was pinned when the run began; without them nothing counts as proved. `now`: the same of what
    is there now, by default what was pinned. `earlier`: what was found before of this very run; a finding is
    `no-data` when the evidence that it had then is gone or changed.
    BadInputError when a requirement names a check that does not exist, or arguments that it does not take.
    """
    for requirement in requirements.requirements:
        registry.validate(requirement)
    known = _before(earlier)
    once = _Once(bundle)
    results = tuple(
        _result(requirement, once, pins, now or pins, known) for requirement in requirements.requirements
    )
    return Coverage(results, bundle.evidence.run_id, (*notes, *(() if pins else (NO_PINS,))))


def delivery_of(
    requirement: Requirement, state: State, *, emulated: bool = False, present: bool = False
) -> Delivery:
    """The plan's word for a state; the table above. `present`: files that implement it are there."""
    instead = bool(requirement.decision and requirement.decision.instead)
    if state is State.PROVED:
        return Delivery.STUBBED if emulated else Delivery.IMPLEMENTED
    if state is State.SKIPPED:
        return Delivery.SKIPPED
    if state is State.DEFERRED:
        return Delivery.STUBBED if instead else Delivery.SKIPPED
    return Delivery.STUBBED if instead or present else Delivery.SKIPPED


def worst(states: Iterable[State]) -> State:
    """The worst of some states; `no-data` of none."""
    return min(states, key=WORST_FIRST.index, default=State.NO_DATA)


Key = tuple[str, str, str]


def _before(earlier: Coverage | None) -> Mapping[Key, tuple[EvidenceRef, ...]]:
    """Evidence of earlier findings by requirement, check and arguments."""
    results = earlier.results if earlier else ()
    return {
        _key(result.requirement.id, finding): finding.evidence
        for result in results
        for finding in result.findings
        if finding.state in ON_EVIDENCE or finding.state is State.STALE
    }


def _key(requirement: str, finding: Finding) -> Key:
    return requirement, finding.check, json.dumps(dict(finding.arguments), sort_keys=True, default=str)


class _Once:
    """Runs each check once for the same arguments, however many requirements name it."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._found: dict[str, Finding] = {}

    def run(self, call: CheckCall) -> Finding:
        """The finding of a call."""
        key = json.dumps([call.name, dict(call.arguments)], sort_keys=True, default=str)
        if key not in self._found:
            self._found[key] = registry.run(call, self.bundle)
        return self._found[key]


def _result(
    requirement: Requirement,
    once: _Once,
    pins: Pins | None,
    now: Pins | None,
    known: Mapping[Key, tuple[EvidenceRef, ...]],
) -> Result:
    present = bool(now and now.artefacts.get(requirement.id))
    decision = requirement.decision
    if decision is not None:
        state = State(decision.state)
        instead = f" Instead: {decision.instead}" if decision.instead else ""
        return Result(requirement, state, delivery_of(requirement, state), f"{decision.why}{instead}")
    findings = []
    for call in requirement.checks:
        finding = once.run(call)
        finding = _kept(finding, once.bundle, known.get(_key(requirement.id, finding), ()))
        findings.append(_aged(finding, pins, now))
    state, sentence = worst(finding.state for finding in findings), _sentence(findings)
    since = changes(requirement, pins, now) if pins and now else ()
    if since and state in (*ON_EVIDENCE, State.STALE):
        sentence = f"Since the run {' and '.join(since)}. It was {state.value} then: {sentence}"
        state = State.STALE
    emulated = any(finding.emulated for finding in findings)
    delivery = delivery_of(requirement, state, emulated=emulated, present=present)
    return Result(requirement, state, delivery, _cut(sentence), tuple(findings))


def _kept(finding: Finding, bundle: Bundle, before: Sequence[EvidenceRef]) -> Finding:
    """A finding whose evidence was there before and is not now, or is another, says nothing any more."""
    files = {file.path: file.sha256 for file in bundle.evidence.files}
    files |= {ref.path: ref.sha256 for ref in finding.evidence}
    lost = [ref.path for ref in before if ref.path not in {*files, WHOLE}]
    other = [
        ref.path
        for ref in before
        if files.get(ref.path, ref.sha256) != ref.sha256 or ref.path in bundle.changed
    ]
    if finding.state is State.NO_DATA or not (lost or other):
        return finding
    what = f"{lost[0]} is gone" if lost else f"{_told(other[0])} is not what it was"
    return replace(
        finding,
        state=State.NO_DATA,
        sentence=f"{what}, and this rested on it. Found now: {finding.sentence}",
        evidence=tuple(ref for ref in finding.evidence if ref.path not in other),
    )


def _told(path: str) -> str:
    return "the evidence as a whole" if path == WHOLE else path


def _aged(finding: Finding, pins: Pins | None, now: Pins | None) -> Finding:
    """A finding by code that was changed since, or of a run that kept no pins."""
    if finding.state not in ON_EVIDENCE:
        return finding
    if pins is None or now is None:
        return replace(finding, state=State.NO_DATA, sentence=f"{NO_PINS} Found was: {finding.sentence}")
    changed = code_change(finding.check, pins, now)
    if not changed:
        return finding
    sentence = f"Since the run {changed}. It says {finding.state.value} now: {finding.sentence}"
    return replace(finding, state=State.STALE, sentence=sentence)


def _sentence(findings: Sequence[Finding]) -> str:
    """The findings in a few sentences, the worst first."""
    if not findings:
        return "Nothing checks it."
    ordered = sorted(findings, key=lambda finding: WORST_FIRST.index(finding.state))
    if ordered[0].state is State.PROVED:
        return " ".join(dict.fromkeys(finding.sentence for finding in ordered))
    holding = sum(finding.state is State.PROVED for finding in findings)
    more = f" ({holding} of {len(findings)} checks hold.)" if len(findings) > 1 else ""
    return f"{ordered[0].sentence}{more}"


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST - 1]}…"
