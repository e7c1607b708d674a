"""`summary.md`: how a run ended, for the page of a CI job. View model in, text out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from rollbook.coverage.model import State
from rollbook.errors import ExitCode
from rollbook.evidence.seal import Seal
from rollbook.report.canary_view import CanaryView
from rollbook.report.cases import GateView, PhaseView
from rollbook.report.coverage_view import CoverageView
from rollbook.report.model import ViewModel

ARTEFACT = "reports"
"""Name under which a workflow keeps the folder of runs."""
LONGEST = 600
"""Characters of one text of the record; the report has it whole."""
WORDS: Mapping[int, str] = {
    ExitCode.OK: "passed",
    ExitCode.BUG: "failed by a bug of rollbook",
    ExitCode.BAD_INPUT: "refused: bad input",
    ExitCode.GATE_REFUSED: "refused by a gate",
    ExitCode.ENVIRONMENT_FAILED: "failed: the environment",
    ExitCode.CANCELLED: "cancelled",
    ExitCode.EVIDENCE_INVALID: "failed: the evidence does not verify",
}
SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$])")
BLOCK = re.compile(r"^(\d*)([-+=]|(?<=\d)[.)](?=\s|$))")


def render(model: ViewModel, *, artefact: str = ARTEFACT, link: str = "") -> str:
    """The whole document. `artefact` is where the workflow keeps the report, `link` its address."""
    code = model.outcome.exit_code
    words = "did not finish" if code is None else WORDS.get(code, "failed")
    parts = [f"## rollbook: {words}", paragraph(model.outcome.sentence or "The run has no end on record.")]
    refused = [gate for gate in model.gates if gate.passed is False]
    if refused:
        parts += ["### Refused gates", _gates(refused)]
    if model.journal.state != Seal.SEALED:
        parts.append(f"**{text(model.journal.sentence)}**")
    parts.append(_phases(model.phases))
    canaries = [view for view in model.canaries if view.versions]
    if canaries:
        parts += ["### Users", _users(canaries), _versions(canaries)]
    totals = model.totals
    parts.append(
        f"{totals.passed} of {totals.tests} phases and gates passed, {totals.failures} refused, "
        f"{totals.errors} failed, {totals.skipped} skipped."
    )
    if model.coverage and model.coverage.computed:
        parts.append(_coverage(model.coverage))
    place = f"[{text(artefact)}]({link})" if link else f"`{artefact}`"
    parts.append(f"The whole story: {inline(f'{model.run_id}/report.html')} in the artefact {place}.")
    parts.append(_provenance(model))
    return "\n\n".join(parts) + "\n"


def text(value: object) -> str:
    """A text of the record as Markdown that shows it and does nothing else: no markup, no link, no break."""
    told = " ".join(_visible(str(value)).split())
    if len(told) > LONGEST:
        told = told[: LONGEST - 1] + "…"
    told = told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    told = SPECIAL.sub(r"\\\1", told)
    # Entities keep addresses from becoming links by themselves; a mention would call somebody.
    return told.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def paragraph(value: object) -> str:
    """The same as a paragraph, which must not begin a list or a heading."""
    return BLOCK.sub(lambda found: f"{found[1]}\\{found[2]}", text(value))


def inline(value: object) -> str:
    """A text of the record as inline code, on one line."""
    return "`" + " ".join(_visible(str(value)).replace("`", "'").replace("|", "¦").split()) + "`"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; every cell is escaped."""
    lines = [header, ["---"] * len(header), *([text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _gates(gates: Sequence[GateView]) -> str:
    rows = [(gate.phase, gate.name, gate.expected, gate.got, gate.sentence) for gate in gates]
    return table(("phase", "gate", "expected", "found", "in words"), rows)


def _phases(phases: Sequence[PhaseView]) -> str:
    rows = [
        (
            phase.name,
            phase.outcome or "did not finish",
            phase.verdict,
            _number(phase.seconds, 1),
            phase.attempts if phase.attempts > 1 else "",
            phase.sentence,
        )
        for phase in phases
    ]
    again = any(row[4] for row in rows)
    header = ("phase", "outcome", "verdict", "seconds", "attempts", "in words")
    return table(*(_without(4, header, rows) if not again else (header, rows)))


def _without(
    column: int, header: Sequence[str], rows: Sequence[Sequence[object]]
) -> tuple[list[str], list[list[object]]]:
    return (
        [cell for number, cell in enumerate(header) if number != column],
        [[cell for number, cell in enumerate(row) if number != column] for row in rows],
    )


def _users(canaries: Sequence[CanaryView]) -> str:
    rows = [
        (
            view.name,
            view.verdict,
            _number(view.sent),
            _number(view.failed),
            _number(view.times.detect_s if view.times else None, 1),
            _number(view.times.roll_back_s if view.times else None, 1),
        )
        for view in canaries
    ]
    header = ("canary", "verdict", "user requests", "failed", "s to detect", "s to roll back")
    return table(header, rows)


def _versions(canaries: Sequence[CanaryView]) -> str:
    rows = [
        (
            view.name,
            one.version or "(the edge itself)",
            _number(one.sent),
            _number(one.failed),
            ", ".join(f"{cause}: {count}" for cause, count in one.by_cause),
        )
        for view in canaries
        for one in view.versions
    ]
    return table(("canary", "answered by", "requests", "failed", "causes"), rows)


def _coverage(view: CoverageView) -> str:
    others = ", ".join(
        f"{one.number} {one.name}" for one in view.states if one.number and one.name != State.PROVED
    )
    told = f"{view.proved} of {len(view.requirements)} requirements proved"
    return f"{told}; {others}." if others else f"{told}."


def _provenance(model: ViewModel) -> str:
    told = [f"run {inline(model.run_id)}"]
    if model.commit:
        told.append(f"commit {inline(model.commit)}" + (" with changes" if model.commit_dirty else ""))
    if model.target:
        told.append(f"target {inline(model.target)}")
    return ", ".join(told)


def _number(value: object, digits: int = 0) -> str:
    return f"{value:,.{digits}f}" if isinstance(value, int | float) else ""


def _visible(value: str) -> str:
    """Control and format characters made visible: they could hide or reorder what a reader sees."""
    return "".join(
        " " if one in "\n\r\t" else "\ufffd" if unicodedata.category(one)[0] == "C" else one for one in value
    )
