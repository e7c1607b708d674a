"""What checks find evidence with. Whatever is not there, or is not what it was, ends the check there.

Everything that is found comes with a reference: the file it was read from, and the SHA-256 of the very bytes
that were read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rollbook.bundle.load import Evidence
from rollbook.bundle.run_record import PhaseRecord
from rollbook.coverage.model import EvidenceRef, Finding, State
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.project import matches
from rollbook.evidence.seal import Seal

WHOLE = "."
"""Path of a reference to all of the evidence: its digest is that of `manifest.digest_of`."""
LEEWAY = timedelta(seconds=60)
"""Clocks of two systems may differ by this much, and what is read just before a run belongs to it."""
Refs = tuple[EvidenceRef, ...]


class GapError(Exception):
    """Ends a check: what it needs is not there."""

    state = State.NO_DATA

    def __init__(self, sentence: str, evidence: Refs = ()) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.evidence = evidence


class NoDataError(GapError):
    """What the run should have left is missing, or is not what it was."""


class NotExercisedError(GapError):
    """The run did nothing that could prove it."""

    state = State.NOT_EXERCISED


@dataclass(frozen=True)
class Bundle:
    """A run's evidence with the bytes of its files.

    `read` gives the bytes of a file by its path in the run's folder; OSError when it cannot. `changed` names
    files that are not what they were when the run was sealed.
    """

    evidence: Evidence
    read: Callable[[str], bytes]
    changed: frozenset[str] = frozenset()
    cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


def proved(sentence: str, *evidence: EvidenceRef, emulated: bool = False) -> Finding:
    """It holds, by this evidence."""
    return Finding("", {}, State.PROVED, sentence, unique(evidence), emulated)


def failed(sentence: str, *evidence: EvidenceRef, emulated: bool = False) -> Finding:
    """It does not hold, by this evidence."""
    return Finding("", {}, State.FAILED, sentence, unique(evidence), emulated)


def judged(holds: bool, sentence: str, *evidence: EvidenceRef, emulated: bool = False) -> Finding:
    """`proved` or `failed`."""
    return (proved if holds else failed)(sentence, *evidence, emulated=emulated)


def unique(evidence: Sequence[EvidenceRef]) -> Refs:
    """Each file once, in the order of their first mention."""
    return tuple({ref.path: ref for ref in reversed(evidence)}[path] for path in _paths(evidence))


def _paths(evidence: Sequence[EvidenceRef]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ref.path for ref in evidence))


# --- files ---


def refer(bundle: Bundle, path: str, what: str) -> EvidenceRef:
    """A reference to a file. NoDataError when it is missing, or was changed after the run was sealed."""
    known = next((file for file in bundle.evidence.files if file.path == path), None)
    if known is None:
        raise NoDataError(f"{path} is missing.")
    if path in bundle.changed:
        raise NoDataError(f"{path} was changed after the run was sealed: it is no evidence any more.")
    return EvidenceRef(path, known.sha256, what)


def content(bundle: Bundle, path: str, what: str) -> tuple[bytes, EvidenceRef]:
    """The bytes of a file. NoDataError as in `refer`."""
    ref = refer(bundle, path, what)
    try:
        data = bundle.read(path)
    except OSError as error:
        raise NoDataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(data).hexdigest() != ref.sha256:
        raise NoDataError(f"{path} was changed while it was read.")
    return data, ref


def json_of(bundle: Bundle, path: str, what: str) -> tuple[Mapping[str, Any], EvidenceRef]:
    """The JSON object in a file. NoDataError when there is none."""
    data, ref = content(bundle, path, what)
    if path not in bundle.cache:
        try:
            bundle.cache[path] = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise NoDataError(f"{path} is not JSON: {error}.") from error
    found = bundle.cache[path]
    if not isinstance(found, Mapping):
        raise NoDataError(f"{path} does not hold a JSON object.")
    return found, ref


def paths(bundle: Bundle, pattern: str) -> tuple[str, ...]:
    """Paths of the run's folder that fit a pattern (`*` within a folder, `**` across folders), in order."""
    return tuple(file.path for file in bundle.evidence.files if matches(file.path, pattern))


def few(refs: Sequence[EvidenceRef], most: int = 8) -> Refs:
    """The first and the last of many references of one kind, `most` in all: a page has to hold them."""
    if len(refs) <= most:
        return tuple(refs)
    return (*refs[: most // 2], *refs[len(refs) - (most - most // 2) :])


# --- phases and the journal ---


def phases(
    bundle: Bundle, runbook: str, *, name: str = "", drill: bool | None = None
) -> tuple[PhaseRecord, ...]:
    """Phases of a runbook that were begun. NotExercisedError when there is none.

    `name` narrows to one phase; `drill` to canaries with (or without) a fault put in on purpose.
    """
    found = tuple(phase for phase in ran(bundle, runbook, drill=drill) if name in {"", phase.name})
    if not found:
        what = f"phase {name!r}" if name else f"{'drill' if drill else runbook} phase"
        raise NotExercisedError(f"This run had no {what}.")
    return found


def ran(bundle: Bundle, runbook: str, *, drill: bool | None = None) -> tuple[PhaseRecord, ...]:
    """As `phases`, but empty when there is none."""
    return tuple(
        phase
        for phase in bundle.evidence.run.phases
        if runbook in {phase.runbook, phase.phase}
        and phase.started is not None
        and phase.outcome != "skipped"
        and drill in {None, phase.is_drill or phase.parameters.get("expect") == "rolled-back"}
    )


def journal(bundle: Bundle) -> tuple[tuple[Entry, ...], EvidenceRef]:
    """The journal's entries. NoDataError when it is missing, empty, or was changed after its seal."""
    ref = refer(bundle, "journal.jsonl", "what was seen, in order")
    if bundle.evidence.seal.state is Seal.BROKEN:
        raise NoDataError(bundle.evidence.seal.sentence)
    if not bundle.evidence.entries:
        raise NoDataError("The journal has no entries.")
    return bundle.evidence.entries, ref


def entries(
    bundle: Bundle, kind: Kind, *, phase: str = "", name: str = ""
) -> tuple[tuple[Entry, ...], EvidenceRef]:
    """Entries of one kind, narrowed by phase and name; raises what `journal` raises."""
    found, ref = journal(bundle)
    wanted = (e for e in found if e.kind is kind and phase in {"", e.phase} and name in {"", e.name})
    return tuple(wanted), ref


def traffic(bundle: Bundle, phase: PhaseRecord) -> tuple[tuple[RequestRecord, ...], EvidenceRef]:
    """Users' requests of a phase. NoDataError when there are none, or when they are of another time."""
    ref = refer(bundle, f"traffic/{phase.name}.csv", f"every request of the users in {phase.name}")
    records = bundle.evidence.phase(phase.name).traffic
    if not records:
        raise NoDataError(f"{ref.path} holds no requests that can be read.")
    first, last = records[0].scheduled_s, records[-1].scheduled_s
    begin, end = phase.started, phase.ended or bundle.evidence.run.ended
    early = begin is not None and first < (begin - LEEWAY).timestamp()
    late = end is not None and last > (end + LEEWAY).timestamp()
    if early or late:
        raise NoDataError(f"{ref.path} holds requests of another time than {phase.name}.")
    return records, ref


# --- where it ran ---


def only_on(bundle: Bundle, target: str) -> None:
    """NotExercisedError when the run was on another target; any is well when `target` is empty.

    Where AWS was emulated, the cluster was the sandbox's: such a run says nothing of EKS.
    """
    here = bundle.evidence.run.target or "an unknown target"
    if target not in {"", here}:
        raise NotExercisedError(f"This run was on {here}, not on {target}.")
    stand_ins = [one.name for one in bundle.evidence.run.components if one.emulated]
    if target == "aws" and stand_ins:
        raise NotExercisedError(f"Here {stand_ins[0]} stood for AWS, and the sandbox's cluster for EKS.")
