"""Reads a Dockerfile into stages of instructions; what is not understood is refused by its line."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dockerfile_parse import DockerfileParser
from dockerfile_parse.util import WordSplitter, extract_key_values

from rollbook.errors import BadInputError

SKIP_MARKER = "rollbook: skip"
"""The comment that leaves out the RUN below it, because it matters to a real container only."""

_COMMENT = "COMMENT"
_DIRECTIVE = re.compile(r"^\s*#\s*escape\s*=", re.IGNORECASE)
_MODIFIER = re.compile(r"\$\{\w+[^\w}]")
_STAGE_NAME = re.compile(r"^(?P<base>\S+)(?:\s+as\s+(?P<name>[A-Za-z0-9][\w.-]*))?$", re.IGNORECASE)


@dataclass(frozen=True)
class Instruction:
    """One instruction: upper-case name, raw value, first line (from 1), and whether to leave it out."""

    name: str
    value: str
    line: int
    skipped: bool = False


@dataclass(frozen=True)
class Stage:
    """One build stage: its name (empty when it has none), what it starts from, and its instructions."""

    name: str
    base: str
    line: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile: build arguments declared before the first FROM, and the stages in order."""

    name: str
    arguments: Mapping[str, str]
    stages: tuple[Stage, ...]

    def refuse(self, line: int, what: str, *, why: str, next_step: str = "") -> BadInputError:
        """An error that names the file and the line; to be raised by the caller."""
        return BadInputError(f"{self.name}, line {line}: {what}", why=why, next_step=next_step)


def read(path: Path, build_arguments: Mapping[str, str]) -> Dockerfile:
    """Parse the Dockerfile at `path`. BadInputError when it cannot be read or has no usable stage."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"the Dockerfile {path} cannot be read",
            why=str(error),
            next_step="Check image.dockerfile in service.yaml.",
        ) from error
    return parse(text, name=path.name, build_arguments=build_arguments)


def parse(text: str, *, name: str = "Dockerfile", build_arguments: Mapping[str, str]) -> Dockerfile:
    """Parse a Dockerfile's text. BadInputError names the line that is not understood."""
    instructions = _instructions(text, name)
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    current: list[Instruction] = []
    for instruction in instructions:
        if instruction.name == "FROM":
            if stages:
                stages[-1] = _with(stages[-1], current)
            current = []
            stages.append(_stage(instruction, arguments, name))
        elif stages:
            current.append(instruction)
        elif instruction.name == "ARG":
            arguments.update(_declared(instruction, name, arguments, {}, build_arguments))
        else:
            raise BadInputError(
                f"{name}, line {instruction.line}: {instruction.name} stands before the first FROM",
                why="only ARG may",
                next_step="Move it below FROM.",
            )
    if not stages:
        raise BadInputError(f"{name} has no FROM", next_step="Begin it with FROM python:<version>-slim.")
    stages[-1] = _with(stages[-1], current)
    return Dockerfile(name=name, arguments=arguments, stages=tuple(stages))


def declared_arguments(
    dockerfile: Dockerfile,
    instruction: Instruction,
    arguments: Mapping[str, str],
    environment: Mapping[str, str],
    build_arguments: Mapping[str, str],
) -> dict[str, str]:
    """Values of the build arguments that an ARG in a stage declares: given, else default, else global."""
    given = {**dockerfile.arguments, **build_arguments}
    return _declared(instruction, dockerfile.name, arguments, environment, given)


def words(
    dockerfile: Dockerfile,
    instruction: Instruction,
    arguments: Mapping[str, str],
    environment: Mapping[str, str],
) -> list[str]:
    """Split an instruction's value at white space, quotes removed and variables put in."""
    _check_variables(instruction, dockerfile.name)
    raw = WordSplitter(instruction.value).split(dequote=False)
    return [WordSplitter(word, args=dict(arguments), envs=dict(environment)).dequote() for word in raw]


def pairs(
    dockerfile: Dockerfile,
    instruction: Instruction,
    arguments: Mapping[str, str],
    environment: Mapping[str, str],
) -> dict[str, str]:
    """The `key=value` pairs of an ENV or LABEL, variables put in with the values from before the line."""
    _check_variables(instruction, dockerfile.name)
    try:
        return dict(extract_key_values(True, dict(arguments), dict(environment), instruction.value))
    except ValueError as error:
        raise dockerfile.refuse(
            instruction.line,
            f"{instruction.name} is not understood",
            why=str(error),
            next_step="Write it as KEY=value, with quotes around blanks.",
        ) from error


def exec_form(dockerfile: Dockerfile, instruction: Instruction) -> tuple[str, ...]:
    """The command of an ENTRYPOINT or CMD. BadInputError for the shell form."""
    command = json_array(instruction.value)
    if command is None:
        raise dockerfile.refuse(
            instruction.line,
            f"{instruction.name} is in shell form",
            why="a shell as the first process keeps SIGTERM from the service",
            next_step=f'Write it as a JSON array: {instruction.name} ["python", "-m", "service"].',
        )
    return command


def json_array(value: str) -> tuple[str, ...] | None:
    """A value written as a JSON array of strings; None when it is not one."""
    if not value.lstrip().startswith("["):
        return None
    try:
        loaded = json.loads(value)
    except ValueError:
        return None
    if isinstance(loaded, list) and all(isinstance(part, str) for part in loaded):
        return tuple(loaded)
    return None


def _instructions(text: str, name: str) -> list[Instruction]:
    lines = text.splitlines()
    if any(_DIRECTIVE.match(line) for line in lines[:3]):
        raise BadInputError(
            f"{name} sets another escape character",
            why="only the backslash is understood",
            next_step="Remove the escape directive.",
        )
    parser = DockerfileParser(fileobj=io.BytesIO(text.encode()), env_replace=False)
    found: list[Instruction] = []
    understood: set[int] = set()
    skip_after: int | None = None
    for raw in parser.structure:
        start, end = int(raw["startline"]), int(raw["endline"])
        understood.update(range(start, end + 1))
        value = str(raw["value"] or "").strip()
        if raw["instruction"] == _COMMENT:
            if value.startswith(SKIP_MARKER):
                skip_after = end
            continue
        instruction = Instruction(str(raw["instruction"]), value, start + 1, skipped=skip_after == start - 1)
        if not value:
            understood -= set(range(start, end + 1))
            continue
        if instruction.skipped and instruction.name != "RUN":
            raise BadInputError(
                f"{name}, line {start + 1}: only RUN can be skipped",
                why=f"# {SKIP_MARKER} stands before {instruction.name}",
                next_step="Remove the marker.",
            )
        if re.search(r"<<-?['\"]?[A-Za-z_]", value) and instruction.name in {"RUN", "COPY"}:
            raise BadInputError(
                f"{name}, line {start + 1}: here-documents are not understood",
                why="images are built here without Docker",
                next_step="Put the text into a file and COPY it.",
            )
        found.append(instruction)
    for number, line in enumerate(lines):
        if line.strip() and number not in understood:
            raise BadInputError(
                f"{name}, line {number + 1}: not understood",
                why=f"{line.strip()[:60]!r} is no complete instruction",
                next_step="Complete or remove the line.",
            )
    return found


def _stage(instruction: Instruction, arguments: Mapping[str, str], name: str) -> Stage:
    _check_variables(instruction, name)
    value = WordSplitter(instruction.value, args=dict(arguments)).dequote()
    match = _STAGE_NAME.match(value)
    if match is None:
        raise BadInputError(
            f"{name}, line {instruction.line}: FROM {value} is not understood",
            why="flags such as --platform need a real builder",
            next_step="Write FROM image, or FROM image AS name.",
        )
    return Stage((match["name"] or "").lower(), match["base"], instruction.line, ())


def _with(stage: Stage, instructions: list[Instruction]) -> Stage:
    return Stage(stage.name, stage.base, stage.line, tuple(instructions))


def _declared(
    instruction: Instruction,
    name: str,
    arguments: Mapping[str, str],
    environment: Mapping[str, str],
    given: Mapping[str, str],
) -> dict[str, str]:
    _check_variables(instruction, name)
    values: dict[str, str] = {}
    for word in WordSplitter(instruction.value).split(dequote=False):
        key, has_default, default = word.partition("=")
        if key in given:
            values[key] = given[key]
        elif has_default:
            seen = {**arguments, **values}
            values[key] = WordSplitter(default, args=seen, envs=dict(environment)).dequote()
    return values


def _check_variables(instruction: Instruction, name: str) -> None:
    if _MODIFIER.search(instruction.value):
        raise BadInputError(
            f"{name}, line {instruction.line}: a variable with a modifier, such as ${{NAME:-value}}",
            why="only $NAME and ${NAME} are understood",
            next_step="Give the ARG or ENV its default value where it is declared.",
        )
