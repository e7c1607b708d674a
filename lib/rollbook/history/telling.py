"""A comparison told to people at a terminal, as a page, and to programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rollbook.history.changes import Difference
from rollbook.history.comparison import Comparison, Side
from rollbook.history.look import formats, page, short
from rollbook.history.noise import Change

SCHEMA = 1
TEXT, VALUE = 300, 120
"""Characters of a sentence, and of a value, where they are shown."""
TONES = {Change.BETTER: "good", Change.WORSE: "bad", Change.NO_DATA: "muted"}
RUN = "the run"
"""Stands for a phase where something is about the run as a whole."""
STYLES = {"good": "green", "bad": "red", "muted": "dim", "": ""}


@dataclass(frozen=True)
class Part:
    """A table of the comparison; `nothing` is what is said when it is empty."""

    title: str
    first: str
    """Heading of the first column: what each row is about."""
    rows: tuple[Difference, ...]
    nothing: str
    by_phase: bool = False
    """Each row is about a phase as a whole, rather than about something of a phase."""

    @property
    def phased(self) -> bool:
        """Whether rows say of which phase they are, beside what they are about."""
        return not self.by_phase and any(one.phase for one in self.rows)

    @property
    def told(self) -> bool:
        """Whether any row says why."""
        return any(one.basis or one.text for one in self.rows)

    @property
    def headings(self) -> tuple[str, ...]:
        """Headings of its columns."""
        middle = ("first run", "second run", "change")
        return (self.first, *(("phase",) if self.phased else ()), *middle, *(("why",) if self.told else ()))

    def about(self, one: Difference) -> str:
        """The first cell of a row."""
        return short(one.phase or RUN) if self.by_phase else short(one.name)


def summary(comparison: Comparison) -> str:
    """The comparison in one sentence."""
    worse, better = len(comparison.worse), len(comparison.better)
    if not worse and not better:
        return "Nothing became worse or better beyond noise."
    return f"{formats.count(worse)} worse, {formats.count(better)} better; noise counts as neither."


def parts(comparison: Comparison) -> tuple[Part, ...]:
    """The tables in the order in which they are shown."""
    unknown = "Not known: coverage.json is not there in both runs."
    same = {name: formats.count(number) for name, number in comparison.unchanged.items()}
    return (
        Part("Verdicts", "phase", comparison.verdicts, "No phase is on record.", by_phase=True),
        Part("Metrics", "metric", comparison.metrics, "No figure is on record in both runs."),
        Part("Gates that changed", "gate", comparison.gates, f"None; {same['gates']} ended alike."),
        Part(
            "Parameters that changed",
            "parameter",
            comparison.parameters,
            f"None; {same['parameters']} are the same.",
        ),
        Part("Versions that changed", "what", comparison.versions, f"None; {same['versions']} are the same."),
        Part(
            "Requirements that changed state",
            "requirement",
            comparison.requirements,
            f"None; {same['requirements']} are in the same state in both."
            if comparison.coverage
            else unknown,
        ),
        Part(
            "Stale requirements",
            "requirement",
            comparison.stale,
            "None in either run." if comparison.coverage else unknown,
        ),
    )


def to_json(comparison: Comparison) -> str:
    """The comparison as JSON, in ASCII; values that JSON has no number for (NaN) are texts."""
    told = {
        "schema": SCHEMA,
        "before": asdict(comparison.before),
        "after": asdict(comparison.after),
        "worse": len(comparison.worse),
        "better": len(comparison.better),
        "notes": list(comparison.notes),
        **{
            name: [_object(one) for one in getattr(comparison, name)]
            for name in (
                "verdicts",
                "metrics",
                "gates",
                "parameters",
                "versions",
                "requirements",
                "stale",
            )
        },
        "unchanged": dict(comparison.unchanged),
        "rules": list(comparison.rules),
    }
    finite = json.loads(json.dumps(told), parse_constant=str)
    return json.dumps(finite, indent=2, allow_nan=False)


def to_html(comparison: Comparison) -> str:
    """The comparison as one page; the same text for the same two folders."""
    return page(
        "compare.html",
        before=_head(comparison.before),
        after=_head(comparison.after),
        summary=summary(comparison),
        tone="bad" if comparison.worse else "good" if comparison.better else "muted",
        notes=[short(note, TEXT) for note in comparison.notes],
        parts=[
            (number, part, [_cells(part, one) for one in part.rows])
            for number, part in enumerate(parts(comparison), 1)
        ],
        rules=comparison.rules,
    )


def to_terminal(comparison: Comparison, console: Console) -> None:
    """Print the comparison as tables."""
    for word, side in (("first", comparison.before), ("second", comparison.after)):
        began = "" if side.began == formats.NONE else f", began {side.began}"
        console.print(Text(f"{word}: {short(side.run_id)}{began} ({short(side.folder, VALUE)})"))
        if side.sentence:
            console.print(Text(f"  {short(side.sentence, TEXT)}", style="dim"))
    for note in comparison.notes:
        console.print(Text(short(note, TEXT), style="yellow"))
    console.print(Text(summary(comparison), style="bold"))
    for part in parts(comparison):
        console.print()
        console.print(_table(part) if part.rows else Text(f"{part.title}: {part.nothing}"))
    console.print()
    for rule in comparison.rules:
        console.print(Text(rule, style="dim"))


def _table(part: Part) -> Table:
    table = Table(title=part.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in part.headings:
        table.add_column(heading, overflow="fold")
    for one in part.rows:
        style = STYLES[TONES.get(one.change, "muted" if one.change in {Change.SAME, Change.NOISE} else "")]
        cells = [Text(part.about(one)), *([Text(short(one.phase) or RUN)] if part.phased else [])]
        cells += [Text(short(one.before, VALUE)), Text(short(one.after, VALUE)), Text(one.word, style=style)]
        table.add_row(*cells, *([Text(_why(one), style="dim")] if part.told else []))
    return table


def _cells(part: Part, one: Difference) -> dict[str, str]:
    return {
        "about": part.about(one),
        "phase": short(one.phase) or RUN,
        "before": short(one.before, VALUE),
        "after": short(one.after, VALUE),
        "word": one.word,
        "tone": TONES.get(one.change, "muted" if one.change is not Change.DIFFERENT else ""),
        "why": _why(one),
    }


def _why(one: Difference) -> str:
    return " ".join(short(part, TEXT) for part in (one.text, one.basis) if part)


def _head(side: Side) -> dict[str, str]:
    return {
        "run_id": short(side.run_id),
        "began": side.began,
        "what": short(f"{side.service or 'unnamed service'} on {side.target or 'unnamed target'}"),
        "sentence": short(side.sentence, TEXT),
    }


def _object(one: Difference) -> dict[str, Any]:
    raw: Sequence[Any] = one.values or (one.before, one.after)
    facts: Iterable[tuple[str, Any]] = (
        ("phase", one.phase or None),
        ("name", one.name),
        ("before", raw[0]),
        ("after", raw[1]),
        ("before_text", one.before),
        ("after_text", one.after),
        ("change", one.change.value),
        ("word", one.word),
        ("basis", one.basis),
        ("text", one.text),
    )
    return dict(facts)
