"""What is told of the parameters comes from the models, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rollbook.notebook.parameters import MODELS, RunbookParameters
from rollbook.notebook.reference import bounds, help_text, markdown, rows, schema, text_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "parameters.md"

each_model = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))


def test_the_document_is_up_to_date() -> None:
    """docs/parameters.md says what the models say: `rollbook params --markdown > docs/parameters.md`."""
    assert markdown() == DOCUMENT.read_text(encoding="utf-8")


@each_model
def test_every_bound_is_in_the_words_of_its_field(model: type[RunbookParameters]) -> None:
    """A number's description ends with its bounds, as the model checks them."""
    told = {name: field.description or "" for name, field in model.model_fields.items()}
    limits = {name: bounds(field) for name, field in model.model_fields.items()}

    assert [] == [name for name, limit in limits.items() if limit and not told[name].endswith(f"; {limit}")]
    assert {
        "rps",
        "timeout_s",
        "lead_s",
        "probes",
        "budget",
        "alpha",
        "margin",
        "latency_margin",
        "gate_budget_s",
        "rate_a",
        "rate_b",
        "effect",
        "replicas",
    } & set(limits) == {name for name in limits if limits[name]}


@each_model
def test_the_schema_is_one_and_takes_the_defaults(model: type[RunbookParameters]) -> None:
    """The JSON Schema is valid, takes what the model takes by default, and refuses another name."""
    made = json.loads(json.dumps(schema(model)))
    Draft202012Validator.check_schema(made)
    validator = Draft202012Validator(made)

    assert validator.is_valid(model().model_dump())
    assert not validator.is_valid({"nope": 1})


def test_the_help_has_every_parameter_that_can_be_set() -> None:
    """Each parameter that has no option of its own is in the help, below its runbook."""
    text = help_text()
    missing = [
        row.name for model in MODELS.values() for row in rows(model, own=True) if row.meaning not in text
    ]

    assert [] == missing
    assert "  target" not in text


def test_a_table_shows_given_values() -> None:
    """With values, they stand where the defaults are."""
    values = {row.name: "x" for row in rows(MODELS["validate"])}

    assert re.search(r"probes +x  whole number +requests", text_table(MODELS["validate"], values={**values}))
