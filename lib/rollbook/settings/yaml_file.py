"""Read a YAML file into a pydantic model; every complaint names the file, the line and the fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from rollbook.errors import BadInputError

Model = TypeVar("Model", bound=BaseModel)


def read(path: Path, model: type[Model]) -> Model:
    """Read and validate `path`. BadInputError names the line of the first thing that is wrong."""
    tree = _parse(path)
    if tree is None:
        raise BadInputError(f"{path} is empty", next_step=f"It should hold: {', '.join(required(model))}.")
    if not isinstance(tree, dict):
        raise BadInputError(f"{path} line 1: it must be a mapping of names to values, not a list or a text")
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise BadInputError(describe(error, path.name, tree)) from error


def required(model: type[BaseModel]) -> list[str]:
    """Names of the fields that a file of this model must have, as they are written in the file."""
    return [field.alias or name for name, field in model.model_fields.items() if field.is_required()]


def describe(error: ValidationError, source: str, tree: Any = None) -> str:
    """The first problem of a validation as one line: where, what, and how many more there are."""
    problems = error.errors()
    # A misspelt name is also a missing one: the misspelling is what its author can see.
    first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    location = ".".join(str(part) for part in first["loc"])
    line = _line(tree, first["loc"])
    place = f"{source} line {line}" if line else source
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such name here; check the spelling"
    elif first["type"] == "missing":
        message = "it is missing"
    else:
        value = first.get("input")
        if isinstance(value, str | int | float | bool):
            message = f"{message} (got {value!r})"
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {location}: {message}{more}" if location else f"{place}: {message}{more}"


def _parse(path: Path) -> Any:
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise BadInputError(
            f"there is no file {path}", next_step="`rollbook init` writes a commented service.yaml."
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInputError(
            f"{path} line {line}: it is not UTF-8 text", next_step="Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise BadInputError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    try:
        return YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = (error.problem or str(error)).split("\n")[0]
        raise BadInputError(f"{path} line {line}: it is not valid YAML", why=problem) from error
    except YAMLError as error:
        raise BadInputError(f"{path} is not valid YAML", why=str(error).split("\n")[0]) from error


def _line(tree: Any, location: tuple[int | str, ...]) -> int | None:
    """Line of the deepest part of `location` that the file has, counted from 1."""
    line: int | None = None
    node = tree
    for part in location:
        if not isinstance(node, CommentedBase):
            break
        try:
            position = node.lc.data[part]
        except (AttributeError, KeyError, TypeError):
            break
        line = int(position[0]) + 1
        try:
            node = node[part]  # type: ignore[index]  # CommentedMap and CommentedSeq, by the check above
        except (KeyError, IndexError, TypeError):
            break
    if line is None and isinstance(tree, CommentedBase):
        return int(tree.lc.line) + 1
    return line
