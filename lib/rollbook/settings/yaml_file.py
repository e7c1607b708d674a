"""Read a YAML file into a pydantic model; every complaint names the file, the line and the fix."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rollbook.errors import BadInputError
from rollbook.evidence.scrub import looks_like_a_secret
from rollbook.settings.yaml_tree import FLOAT, Location, Place, Tree, TreeError, parse

Model = TypeVar("Model", bound=BaseModel)

MOST_BYTES = 1_000_000
NO_FILE = "`rollbook init` writes a commented service.yaml."
LONGEST_VALUE = 60
"""Characters of a wrong value that a complaint repeats."""


def read(path: Path, model: type[Model], *, hint: str = NO_FILE) -> Model:
    """Read and validate `path`; `hint` is the next step when there is no such file.

    BadInputError names the line of the first thing that is wrong.
    """
    return validate(load(path, model, hint=hint), model, path.name)


def load(path: Path, model: type[BaseModel], *, hint: str = NO_FILE) -> Tree:
    """The values of a file that should hold a `model`, not validated yet. BadInputError as in `read`."""
    text = _text(path, hint)
    try:
        tree = parse(text)
    except TreeError as error:
        raise BadInputError(f"{path} line {error.line}: {error.problem}", next_step=error.fix) from error
    if tree.value is None:
        raise BadInputError(f"{path} is empty", next_step=f"It should hold: {', '.join(required(model))}.")
    if not isinstance(tree.value, dict):
        raise BadInputError(f"{path} line 1: it must be a mapping of names to values, not a list or a text")
    return tree


def validate(tree: Tree, model: type[Model], source: str) -> Model:
    """Validate what a file holds. BadInputError names the line of the first thing that is wrong."""
    try:
        return model.model_validate(tree.value)
    except ValidationError as error:
        raise BadInputError(describe(error, source, tree)) from error


def required(model: type[BaseModel]) -> list[str]:
    """Names of the fields that a file of this model must have, as they are written in the file."""
    return [field.alias or name for name, field in model.model_fields.items() if field.is_required()]


def describe(
    error: ValidationError,
    source: str,
    tree: Tree | None = None,
    *,
    at: Location = (),
    known: Sequence[str] = (),
) -> str:
    """The first problem of a validation as one line: where, what, how to mend it, and how many more.

    `at` is where in `tree` the validated value is; `known` are names that a misspelt one may have meant.
    """
    # A list whose items are wrong is also called too short, for none of them counted.
    every = error.errors(include_url=False)
    problems = [one for one in every if one["type"] != "too_short"] or every
    first = worst(problems)
    location = (*at, *first["loc"], *_deeper(first))
    place = tree.place(location) if tree else None
    message = _message(first, place, known)
    where = ".".join(str(part) for part in location)
    head = f"{source} line {place.line}" if place else source
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{head}: {where}: {message}{more}" if where else f"{head}: {message}{more}"


def worst(problems: Sequence[ErrorDetails]) -> ErrorDetails:
    """The problem to tell: a misspelt name is also a missing one, and the misspelling is what can be seen."""
    return next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])


def expected(error: ValidationError, model: type[BaseModel], known: Sequence[str]) -> str:
    """The next step for the problem that `describe` tells: what its field is, or which fields there are."""
    first = worst(error.errors(include_url=False))
    if first["type"] == "secret":
        return "Give the name of the secret, such as its ARN or an environment variable, and never its value."
    field = model.model_fields.get(str((first["loc"] or ("",))[0]))
    if field is not None and field.description:
        return f"{first['loc'][0]}: {field.description}."
    return f"Known are: {', '.join(known)}."


def _deeper(problem: ErrorDetails) -> Location:
    """Validators of a whole model name what they complain of in their context."""
    at = problem.get("ctx", {}).get("at", ())
    return tuple(at) if isinstance(at, tuple | list) else ()


def _message(problem: ErrorDetails, place: Place | None, known: Sequence[str]) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        close = get_close_matches(str(problem["loc"][-1]), known, n=1)
        return f"there is no such name here; {f'perhaps {close[0]}' if close else 'check the spelling'}"
    if kind == "missing":
        return "it is missing"
    message = problem["msg"].removeprefix("Value error, ")
    value = problem.get("input")
    if not isinstance(value, str | int | float | None) or (
        isinstance(value, str) and looks_like_a_secret(value)
    ):
        return message  # what may be a secret is not printed either
    written = place.written if place is not None and place.written and not place.quoted else repr(value)
    return f"{message} (got {_short(written)}){_remark(kind, value, place)}"


def _remark(kind: str, value: object, place: Place | None) -> str:
    """How to mend the mistakes that YAML's own rules make easy."""
    if kind == "string_type" and isinstance(value, int | float):
        example = f', "{place.written}"' if place is not None and len(place.written) <= LONGEST_VALUE else ""
        return f": write it in quotes{example}"
    if kind == "bool_type":
        return ": write true or false"
    if kind in {"float_type", "int_type"} and isinstance(value, str) and FLOAT.fullmatch(value):
        return ": write it without quotes"
    return ""


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _text(path: Path, hint: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise BadInputError(f"there is no file {path}", next_step=hint) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInputError(f"{path} cannot be read", why=why, next_step="Give a file.") from error
    if len(content) > MOST_BYTES:
        raise BadInputError(
            f"{path} is larger than {MOST_BYTES:,} bytes",
            next_step="A file of settings has a few hundred lines: is it the right one?",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadInputError(
            f"{path} line {line}: it is not UTF-8 text", next_step="Save the file as UTF-8."
        ) from error
