"""Reads what `terraform output -json` prints: here, and from the file that a workflow kept of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rollbook.errors import BadInputError, EnvironmentFailedError, NotFoundError
from rollbook.terraform.port import Outputs

NAMES = tuple(field.name for field in fields(Outputs))


def parsed(document: Mapping[str, Any]) -> Outputs:
    """Outputs by name. NotFoundError when there are none, EnvironmentFailedError when they are others."""
    if not document:
        raise NotFoundError(
            "Terraform has no outputs",
            why="nothing was applied yet, or everything was destroyed",
            next_step="Apply first: the provision phase does.",
        )
    values = {name: one["value"] for name, one in document.items() if name in NAMES}
    try:
        return TypeAdapter(Outputs).validate_python(values)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(one["loc"][0]) for one in error.errors()}))
        raise EnvironmentFailedError(
            f"Terraform's outputs lack what a release needs: {wrong}",
            why="an apply that failed halfway gives only some, and so does another version of terraform/",
            next_step="Apply again, then look at terraform output.",
        ) from error


def read(path: Path) -> Outputs:
    """Outputs in a file that `terraform output -json` was written to. BadInputError when it is not one."""
    try:
        document = json.loads(path.read_text("utf-8"))
        values = {str(name): {"value": one["value"]} for name, one in document.items()}
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise BadInputError(
            f"{path} does not hold Terraform's outputs",
            why=str(error)[:200],
            next_step=f"Write it by: terraform output -json > {path.name}",
        ) from error
    return parsed(values)
