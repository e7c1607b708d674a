"""What each runbook takes, told for the command line, the documents and programs: all from the models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from rollbook.notebook.parameters import MODELS, RunbookParameters
from rollbook.settings.plan_file import OPTIONS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false"}

INTRODUCTION = """# Parameters of the runbooks

Made from the models in [parameters.py](../lib/rollbook/notebook/parameters.py) by
`rollbook params --markdown > docs/parameters.md`; a test says when it is old.

Set them with `rollbook run --set NAME=VALUE`, in a plan, in the parameters cell of a notebook, or with
`papermill -p` (`-r` for a text that looks like a number). They are checked before anything is started, and
strictly: a text is no number and a number no text, booleans are `true` and `false` only, `nan` and `inf` are
refused, and so are names that are not below and values that look like secrets."""


@dataclass(frozen=True)
class Row:
    """One parameter: its name, its type and default in words, and what it means, with unit and bounds."""

    name: str
    type: str
    default: str
    meaning: str


def rows(model: type[RunbookParameters], *, own: bool = False) -> tuple[Row, ...]:
    """The parameters of a runbook in order; with `own`, without those that have options of `rollbook run`."""
    return tuple(
        Row(name, type_words(field), written(field.get_default()), field.description or "")
        for name, field in model.model_fields.items()
        if not (own and name in OPTIONS)
    )


def type_words(field: FieldInfo) -> str:
    """The type of a field in words."""
    if get_origin(field.annotation) is Literal:
        return " or ".join(str(one) for one in get_args(field.annotation))
    return TYPES[field.annotation] if field.annotation in TYPES else str(field.annotation)


def bounds(field: FieldInfo) -> str:
    """The bounds of a number in words, such as `more than 0, at most 1000`; empty when it has none."""
    limits: dict[str, Any] = {}
    for one in field.metadata:
        limits |= {name: getattr(one, name) for name in ("gt", "ge", "lt", "le") if hasattr(one, name)}
    if set(limits) == {"ge", "le"}:
        return f"{limits['ge']:g} to {limits['le']:g}"
    words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
    return ", ".join(f"{word} {limits[name]:g}" for name, word in words.items() if name in limits)


def written(value: object) -> str:
    """A value as `--set` takes it; an empty text as two quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else '""'


def text_table(
    model: type[RunbookParameters], *, own: bool = False, values: Mapping[str, str] | None = None
) -> str:
    """The parameters of a runbook as lines of text, with their defaults or with the given values.

    With `own` it is the short table for a help text: without types, and without what has an option.
    """
    found = rows(model, own=own)
    columns = [[row.name for row in found], [(values or {}).get(row.name, row.default) for row in found]]
    if not own:
        columns.append([row.type for row in found])
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
    lines = ["  ".join(["", *cells, row.meaning]) for row, *cells in zip(found, *padded, strict=True)]
    return "\n".join([f"{model.runbook()}:", *lines])


def help_text() -> str:
    """All that `--set` takes, by runbook: for the end of `rollbook run --help`."""
    tables = [text_table(model, own=True) for model in MODELS.values()]
    return "\n".join(["Parameters that --set and plans take, each with its default:", "", *tables])


def listing() -> str:
    """The runbooks with the names of their parameters, one a line."""
    widest = max(len(name) for name in MODELS)
    return "\n".join(
        f"{name:<{widest}}  {', '.join(row.name for row in rows(model, own=True))}".rstrip()
        for name, model in MODELS.items()
    )


def schema(model: type[RunbookParameters]) -> Mapping[str, Any]:
    """JSON Schema (draft 2020-12) of a runbook's parameters."""
    return {"$schema": DIALECT, **model.model_json_schema()}


def schemas_json(runbook: str | None = None) -> str:
    """The schema of one runbook, or of all by their names, as JSON."""
    told = schema(MODELS[runbook]) if runbook else {name: schema(model) for name, model in MODELS.items()}
    return json.dumps(told, indent=2, ensure_ascii=False)


def markdown() -> str:
    """`docs/parameters.md`."""
    parts = [INTRODUCTION]
    for name, model in MODELS.items():
        parts += ["", f"## {name}", "", "| parameter | type | default | meaning |", "|---|---|---|---|"]
        parts += [f"| `{row.name}` | {row.type} | `{row.default}` | {row.meaning} |" for row in rows(model)]
    own = ", ".join(f"`{name}`" for name in OPTIONS)
    parts += ["", f"`rollbook run` sets {own} itself: by its options, and by the phase's name in the plan."]
    return "\n".join(parts) + "\n"
