"""`summary.md`: how a run ended, for the page of a CI job. Record in, text out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rollbook.errors import ExitCode
from rollbook.evidence.seal import Seal
from rollbook.launch.summary import GateResult, Story, attempts

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


def render(story: Story, *, artefact: str = ARTEFACT, link: str = "") -> str:
    """The whole document. `artefact` is where the workflow keeps the report, `link` its address."""
    run = story.run
    words = "did not finish" if story.exit_code is None else WORDS.get(story.exit_code, "failed")
    parts = [f"## rollbook: {words}", paragraph(story.sentence or "The run has no end on record.")]
    refused = [gate for gate in story.gates if gate.passed is False]
    if refused:
        parts += ["### Refused gates", _gates(refused)]
    if story.journal.state is not Seal.SEALED:
        parts.append(f"**{text(story.journal.sentence)}**")
    parts.append(_phases(story.phases))
    canaries = [phase for phase in run["phases"] if phase.get("users")]
    if canaries:
        parts += ["### Users", _users(canaries), _versions(canaries)]
    totals = story.totals
    passed = totals.tests - totals.failures - totals.errors - totals.skipped
    parts.append(
        f"{passed} of {totals.tests} phases and gates passed, {totals.failures} refused, "
        f"{totals.errors} failed, {totals.skipped} skipped."
    )
    place = f"[{text(artefact)}]({link})" if link else f"`{artefact}`"
    parts.append(f"The whole story: {code(str(run['id']) + '/report.html')} in the artefact {place}.")
    parts.append(_provenance(run))
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


def code(value: object) -> str:
    """A text of the record as inline code, on one line."""
    return "`" + " ".join(_visible(str(value)).replace("`", "'").replace("|", "¦").split()) + "`"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; every cell is escaped."""
    lines = [header, ["---"] * len(header), *([text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _gates(gates: Sequence[GateResult]) -> str:
    rows = [(gate.phase, gate.name, gate.expected, gate.got, gate.sentence) for gate in gates]
    return table(("phase", "gate", "expected", "found", "in words"), rows)


def _phases(phases: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            phase["name"],
            phase.get("outcome") or "did not finish",
            phase.get("verdict") or "",
            _number(phase.get("seconds"), 1),
            attempts(phase) if attempts(phase) > 1 else "",
            phase.get("sentence") or "",
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


def _users(canaries: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            phase["name"],
            phase.get("verdict") or "",
            _number(phase["users"].get("sent")),
            _number(phase["users"].get("failed")),
            _number(phase.get("time_to_detect_s"), 1),
            _number(phase.get("time_to_roll_back_s"), 1),
        )
        for phase in canaries
    ]
    header = ("canary", "verdict", "user requests", "failed", "s to detect", "s to roll back")
    return table(header, rows)


def _versions(canaries: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            phase["name"],
            version or "(the edge itself)",
            _number(counts.get("sent")),
            _number(counts.get("failed")),
            ", ".join(f"{cause}: {count}" for cause, count in (counts.get("by_cause") or {}).items()),
        )
        for phase in canaries
        for version, counts in (phase["users"].get("by_version") or {}).items()
    ]
    return table(("canary", "answered by", "requests", "failed", "causes"), rows)


def _provenance(run: Mapping[str, Any]) -> str:
    commit: Mapping[str, Any] = run.get("commit") or {}
    told = [f"run {code(run['id'])}"]
    if commit.get("sha"):
        told.append(f"commit {code(commit['sha'])}" + (" with changes" if commit.get("dirty") else ""))
    if run.get("target"):
        told.append(f"target {code(run['target'])}")
    return ", ".join(told)


def _number(value: object, digits: int = 0) -> str:
    return f"{value:,.{digits}f}" if isinstance(value, int | float) else ""


def _visible(value: str) -> str:
    """Control and format characters made visible: they could hide or reorder what a reader sees."""
    return "".join(
        " " if one in "\n\r\t" else "\ufffd" if unicodedata.category(one)[0] == "C" else one for one in value
    )
