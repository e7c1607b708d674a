"""What is generated for `docs/`: `requirements.md` from `requirements.yaml`, and its schema.

    python -m rollbook.coverage.requirements_document docs

Tests say when either is old.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import get_args

from rollbook.coverage.requirement import CheckCall, Contradiction, Kind, Requirement, Requirements
from rollbook.coverage.requirements_file import load, schema
from rollbook.coverage.requirements_model import Layer

STEPS = {
    "0": "how decisions are made",
    "1A": "requirements analysis",
    "1B": "layout and conventions",
    "2A": "branches of the architecture",
    "2B": "dependencies and implications",
    "3A": "the chosen path",
    "3B": "validation of the design",
    "3C": "final layout and tools",
    "4": "order of the work",
    "5": "execution",
    "5A": "infrastructure",
    "5B": "core delivery",
    "5C": "CI/CD",
    "5D": "bonus features",
    "5E": "fallback",
    "6": "validation of the requirements",
    "7": "polish and narrative",
}
"""Steps of the plan, and what each is about, in a few words of ours."""

INTRODUCTION = """# Requirements

<!-- Generated from requirements.yaml: python -m rollbook.coverage.requirements_document docs -->

Generated from [requirements.yaml](requirements.yaml) by
`python -m rollbook.coverage.requirements_document docs`; a test says when it is old. What a run proves of it
is in that run's report, and is not written here.

Taken from: {source}. Lines are lines of that document."""


def requirements_markdown(requirements: Requirements) -> str:
    """`docs/requirements.md`: the matrix of implications, what meets each requirement, contradictions."""
    rows = requirements.requirements
    parts = [INTRODUCTION.format(source=_cell(requirements.source))]
    parts += ["## Counts", *_counts(rows)]
    parts += ["## Requirements and their implications"]
    parts += _by_step(rows, ("id", "requirement", "kind, layer; lines", "it implies"), _implied)
    parts += ["## What meets each, and what proves it"]
    parts += _by_step(rows, ("id", "met by", "proved by"), _met)
    decided = [_decided(row) for row in rows if row.decision is not None]
    parts += ["## Put off or left out, by decision"]
    parts += [_table(("id", "requirement", "state", "why", "instead"), decided)] if decided else ["None."]
    pulls = [_pull(one) for one in requirements.contradictions]
    parts += ["## Contradictions"]
    parts += [_table(("id", "between", "tension", "stance"), pulls)] if pulls else ["None."]
    return "\n\n".join(parts) + "\n"


def schema_json() -> str:
    """`docs/requirements.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def write(docs: Path) -> tuple[Path, ...]:
    """Write both into the folder that has requirements.yaml. BadInputError when that file is wrong."""
    made = {
        docs / "requirements.md": requirements_markdown(load(docs / "requirements.yaml")),
        docs / "requirements.schema.json": schema_json(),
    }
    for path, text in made.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return tuple(made)


def _counts(rows: Sequence[Requirement]) -> list[str]:
    found = Counter((row.layer, row.kind) for row in rows)
    lines = [
        (
            layer,
            *(str(found[layer, kind]) for kind in Kind),
            str(sum(found[layer, kind] for kind in Kind)),
        )
        for layer in get_args(Layer)
    ]
    total = ("all", *(str(sum(row.kind is kind for row in rows)) for kind in Kind), str(len(rows)))
    return [_table(("layer", *(kind.value for kind in Kind), "all"), [*lines, total])]


def _by_step(
    rows: Sequence[Requirement], head: tuple[str, ...], cells: Callable[[Requirement], tuple[str, ...]]
) -> list[str]:
    parts = []
    for step, found in groupby(rows, key=lambda row: row.step):
        parts += [f"**Step {step}: {STEPS[step]}**", _table(head, [cells(row) for row in found])]
    return parts


def _implied(row: Requirement) -> tuple[str, ...]:
    about = f"{row.kind.value}, {row.layer}; {row.source}"
    return (row.id, _cell(row.text), about, "<br>".join(_cell(one) for one in row.implications))


def _met(row: Requirement) -> tuple[str, ...]:
    proof = list(dict.fromkeys(_call(call) for call in row.checks))
    if row.decision is not None:
        proof.append(f"{row.decision.state} by decision")
    return (row.id, _cell(row.via), "<br>".join(proof))


def _call(call: CheckCall) -> str:
    """A check as a reader needs it; which text it looks for in a file is in the YAML."""
    told = [_words(value) for name, value in call.arguments.items() if name != "text"]
    return " ".join([f"`{call.name}`", *(f"`{one}`" for one in told)])


def _words(value: object) -> str:
    words = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return words.replace("|", "\\|").replace("`", "'")


def _decided(row: Requirement) -> tuple[str, ...]:
    decision = row.decision
    if decision is None:
        raise ValueError(f"{row.id} has no decision")
    return (row.id, _cell(row.text), decision.state, _cell(decision.why), _cell(decision.instead))


def _pull(one: Contradiction) -> tuple[str, ...]:
    record = Path(one.decision_record)
    decided = f" ([{record.stem[:4]}]({_from_docs(one.decision_record)}))" if one.decision_record else ""
    title = f"**{_cell(one.title)}.** {_cell(one.tension)}"
    return (one.id, "<br>".join(one.between), title, f"{_cell(one.stance)}{decided}")


def _from_docs(path: str) -> str:
    return path.removeprefix("docs/") if path.startswith("docs/") else f"../{path}"


def _cell(text: str) -> str:
    """A text as one cell of a table: bars and tags in it are shown as text."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    for written in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
        sys.stdout.write(f"{written}\n")
