"""docs/rtm.md, the requirements traceability matrix in short, generated from a run's coverage."""

from __future__ import annotations

from collections.abc import Sequence

from rollbook.coverage.model import Coverage, Delivery, EvidenceRef, Result, State
from rollbook.coverage.requirement import Requirements

PATH = "docs/rtm.md"
EVIDENCE_SHOWN = 2
WORDS = {
    Delivery.IMPLEMENTED: "proved by evidence of the run",
    Delivery.STUBBED: "something stands in its place, or it is there and this run did not prove it",
    Delivery.SKIPPED: "not there, and the last column says why",
}


def rtm_markdown(
    coverage: Coverage, requirements: Requirements, *, run: str, evidence_sha256: str, link: str = ""
) -> str:
    """The matrix as Markdown: for each requirement what implements it, and if nothing proves that, why.

    `run` names the run's folder, `evidence_sha256` (hex) is the digest over its evidence, and `link` leads
    from the document to that folder; without it, evidence is named and not linked.
    """
    via = {row.id: row.via for row in requirements.requirements}
    states = ", ".join(f"{coverage.count(state)} {state.value}" for state in State if coverage.count(state))
    lines = [
        "# Requirements traceability matrix",
        "",
        "<!-- Generated: rollbook coverage RUN --rtm > docs/rtm.md. Do not edit. -->",
        f"<!-- evidence sha256:{evidence_sha256} -->",
        "",
        f"*X was implemented via Y; if not, why.* Generated from the evidence of run `{_cell(run)}`",
        f"(`sha256:{evidence_sha256}`); a test says when it is old.",
        "",
        f"{len(coverage.results)} requirements: {states}.",
        "",
        "| word | requirements | meaning |",
        "|---|---|---|",
        *(f"| {word.value} | {coverage.delivered(word)} | {meaning} |" for word, meaning in WORDS.items()),
        "",
        "In brackets is what the evidence says; `rollbook coverage RUN` works it out again.",
    ]
    for step in dict.fromkeys(result.requirement.step for result in coverage.results):
        rows = [result for result in coverage.results if result.requirement.step == step]
        lines += ["", f"## Step {_cell(step)}", "", *_table(rows, via, link)]
    lines += [f"\n{_cell(note)}" for note in coverage.notes]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Result], via: dict[str, str], link: str) -> list[str]:
    return [
        "| requirement | | implemented via | evidence, or why not |",
        "|---|---|---|---|",
        *(
            f"| {_cell(row.requirement.id)}: {_cell(row.requirement.text)} "
            f"| {row.delivery.value} ({row.state.value}) "
            f"| {_cell(row.requirement.via or via.get(row.requirement.id, ''))} "
            f"| {_cell(row.sentence)}{_evidence(row, link)} |"
            for row in rows
        ),
    ]


def _evidence(row: Result, link: str) -> str:
    """Links to the first files that a proved or failed requirement rests on."""
    if not link or row.state not in {State.PROVED, State.FAILED}:
        return ""
    refs: dict[str, EvidenceRef] = {ref.path: ref for one in row.findings for ref in one.evidence}
    shown = [f"[{ref.sha256[:8]}]({link.rstrip('/')}/{path})" for path, ref in refs.items() if path != "."][
        :EVIDENCE_SHOWN
    ]
    return f" {' '.join(shown)}" if shown else ""


def _cell(text: str) -> str:
    """Text in one cell of a Markdown table, shown as it is."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    for mark in "\\|<>[]*":
        words = words.replace(mark, f"\\{mark}")
    return words
