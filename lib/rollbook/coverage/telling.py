"""Coverage told: as a table in a terminal, as the list of checks, as docs/rtm.md."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rollbook.bundle import manifest
from rollbook.coverage import coverage_file, registry, requirements_file
from rollbook.coverage.keeping import KEPT
from rollbook.coverage.model import Coverage, Delivery, State
from rollbook.coverage.rtm import PATH, rtm_markdown
from rollbook.errors import BadInputError
from rollbook.evidence.folder import RunFolder

COLOURS = {
    State.PROVED: "green",
    State.FAILED: "red",
    State.NO_DATA: "magenta",
    State.STALE: "yellow",
    State.NOT_EXERCISED: "cyan",
}


def to_terminal(coverage: Coverage, states: Sequence[State], width: int | None) -> None:
    """Print the requirements in these states, and the totals of all; `width` in characters, None: asked."""
    table = Table(box=None, pad_edge=False)
    for name in ("id", "state", "delivery", "why"):
        table.add_column(name, no_wrap=name != "why", overflow="fold")
    for result in coverage.results:
        if result.state in states:
            table.add_row(
                _shown(result.requirement.id),
                Text(result.state.value, style=COLOURS.get(result.state, "")),
                Text(result.delivery.value),
                _shown(result.sentence),
            )
    console = Console(width=width, highlight=False)
    if table.row_count:
        console.print(table)
        console.print()
    console.print(_shown(totals(coverage)))
    for note in coverage.notes:
        console.print(_shown(note))


def totals(coverage: Coverage) -> str:
    """How many are in which state, and what became of them, in one line."""
    states = ", ".join(f"{coverage.count(state)} {state.value}" for state in State if coverage.count(state))
    words = ", ".join(f"{coverage.delivered(word)} {word.value}" for word in Delivery)
    return f"{len(coverage.results)} requirements: {states or 'none'} ({words})"


def _shown(text: str) -> Text:
    """Text of the evidence without what a terminal would obey."""
    return Text("".join(letter if letter.isprintable() else " " for letter in text))


def listing() -> str:
    """All checks: names, arguments, and what holds when they are proved."""
    table = Table(box=None, pad_edge=False)
    for name in ("check", "arguments", "what holds when it is proved"):
        table.add_column(name, overflow="fold")
    for name in registry.names():
        found = registry.find(name)
        if found is not None:
            fields = found.arguments.model_fields.items()
            arguments = ", ".join(key if field.is_required() else f"[{key}]" for key, field in fields)
            table.add_row(Text(name), Text(arguments), Text(found.sentence))
    out = StringIO()
    Console(file=out, width=160, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def rtm(folder: RunFolder) -> str:
    """docs/rtm.md from a run's coverage.json. BadInputError when the run has none."""
    found = coverage_file.read(folder.path)
    if found is None:
        raise BadInputError(
            f"{folder.run_id} has no {coverage_file.NAME}",
            why="it ended before its coverage was worked out, or was made without requirements",
            next_step=f"Make {PATH} from a run that has one.",
        )
    coverage, digest = found
    requirements = requirements_file.load(folder.path / KEPT)
    link = f"../reports/{folder.run_id}"
    return rtm_markdown(coverage, requirements, run=coverage.run_id, evidence_sha256=digest, link=link)


def evidence_digest(folder: RunFolder) -> str:
    """The digest over the evidence of a run's folder as it is now (hex)."""
    return manifest.evidence_sha256(folder.path)
