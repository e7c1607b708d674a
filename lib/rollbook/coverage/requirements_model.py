"""What `docs/requirements.yaml` may hold: the model behind its validation and its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from rollbook.coverage.requirement import Kind

Step = Literal[
    "0", "1A", "1B", "2A", "2B", "3A", "3B", "3C", "4", "5", "5A", "5B", "5C", "5D", "5E", "6", "7"
]
"""Steps of the plan in their order."""
Layer = Literal["must-have", "strategic-core", "high-signal", "flair", "process"]

MOST_TOLD = 5
"""Spans of lines that one complaint names."""

_LINES = r"L[1-9][0-9]*(-L[1-9][0-9]*)?"
RequirementId = Annotated[str, StringConstraints(pattern=r"^R-[0-7][A-E]?-[0-9]{2}$")]
ContradictionId = Annotated[str, StringConstraints(pattern=r"^C-[0-9]{2}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=600, pattern=r"^\S[^\n]*\S$")]
Span = Annotated[str, StringConstraints(pattern=rf"^{_LINES}$")]
Spans = Annotated[str, StringConstraints(pattern=rf"^{_LINES}(, {_LINES})*$")]
ProjectPath = Annotated[str, StringConstraints(pattern=r"^[^/\\\s]", min_length=1, max_length=200)]
CheckName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*\.[a-z][a-z_]*$")]
CheckWithArguments = Annotated[dict[CheckName, dict[str, Any]], Field(min_length=1, max_length=1)]


def _shape(value: object) -> str | None:
    if isinstance(value, str):
        return "name"
    return "call" if isinstance(value, dict) else None


CheckEntry = Annotated[
    Annotated[CheckName, Tag("name")] | Annotated[CheckWithArguments, Tag("call")],
    Discriminator(
        _shape,
        custom_error_type="check",
        custom_error_message="a check is a name, or one name with its arguments",
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceModel(_Strict):
    """The document that the requirements are taken from."""

    title: Words
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the document, hex"
    )
    lines: int = Field(gt=0, strict=True, description="how many lines the document has")
    silent: tuple[Span, ...] = Field((), description="lines that ask for nothing, such as L4-L6")


class DecisionModel(_Strict):
    """A person's decision to put a requirement off or to leave it out."""

    state: Literal["deferred", "skipped"]
    why: Words
    instead: Words | Literal[""] = Field("", description="what stands in its place, if anything does")


class RequirementModel(_Strict):
    """One thing that was asked for."""

    id: RequirementId = Field(description="R-<step>-<number>; never used again for another requirement")
    text: Words
    kind: Kind
    step: Step
    layer: Layer
    source: Spans = Field(description="lines of the document, such as L57 or L57-L60, several by commas")
    implications: tuple[Words, ...] = Field(min_length=1, max_length=3)
    via: Words = Field(description="what implements it: `it was implemented via ...`")
    artefacts: tuple[ProjectPath, ...] = Field((), description="files of the project, as glob patterns")
    checks: tuple[CheckEntry, ...] = ()
    decision: DecisionModel | None = None

    @field_validator("step", mode="before")
    @classmethod
    def _step_is_a_text(cls, value: object) -> object:
        if isinstance(value, int):
            raise PydanticCustomError(
                "step", 'a step is a text: write it in quotes, "{step}"', {"step": value}
            )
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        step = self.id.split("-")[1]
        if step != self.step:
            raise _wrong("the id is one of step {step}", ["step"], step=step)
        if not self.checks and self.decision is None:
            raise _wrong("it has neither a check nor a decision, so nothing could ever be said of it", [])
        for number, path in enumerate(self.artefacts):
            if ".." in path.split("/"):
                raise _wrong("it leads out of the project", ["artefacts", number])
        return self


class ContradictionModel(_Strict):
    """Requirements that pull in different directions, and the stance that was taken."""

    id: ContradictionId
    title: Words
    between: tuple[RequirementId, ...] = Field(min_length=2)
    tension: Words
    stance: Words
    decision_record: ProjectPath | Literal[""] = Field("", description="path of the ADR, if there is one")


class FileModel(_Strict):
    """`docs/requirements.yaml`."""

    source: SourceModel
    retired: tuple[RequirementId | ContradictionId, ...] = Field(
        (), description="ids that were used once, and must not be used again"
    )
    requirements: tuple[RequirementModel, ...] = Field(min_length=1)
    contradictions: tuple[ContradictionModel, ...] = ()

    @model_validator(mode="after")
    def _ids(self) -> Self:
        named = [(("requirements", number, "id"), row.id) for number, row in enumerate(self.requirements)]
        named += [
            (("contradictions", number, "id"), row.id) for number, row in enumerate(self.contradictions)
        ]
        used: set[str] = set()
        for at, name in named:
            if name in self.retired:
                raise _wrong("{id} is retired: give it another id", at, id=name)
            if name in used:
                raise _wrong("{id} stands for two things", at, id=name)
            used.add(name)
        known = {row.id for row in self.requirements}
        for number, row in enumerate(self.contradictions):
            for index, name in enumerate(row.between):
                if name not in known:
                    place = ("contradictions", number, "between", index)
                    raise _wrong("there is no requirement {id}", place, id=name)
        return self

    @model_validator(mode="after")
    def _lines(self) -> Self:
        asked: set[int] = set()
        for number, row in enumerate(self.requirements):
            asked |= self._within(row.source, ["requirements", number, "source"])
        silent: set[int] = set()
        for number, span in enumerate(self.source.silent):
            silent |= self._within(span, ["source", "silent", number])
        both = sorted(asked & silent)
        if both:
            raise _wrong(
                "line {n} asks for something: a requirement names it", ["source", "silent"], n=both[0]
            )
        left = sorted(set(range(1, self.source.lines + 1)) - asked - silent)
        if left:
            told = ", ".join(spans_of(left)[:MOST_TOLD])
            raise _wrong(
                "no requirement names {lines}, and it is not listed as silent", ["source"], lines=told
            )
        return self

    def _within(self, source: str, at: list[str | int]) -> set[int]:
        found = lines_of(source)
        if not found:
            raise _wrong("{source} ends before it begins", at, source=source)
        if max(found) > self.source.lines:
            raise _wrong("the document has {lines} lines", at, lines=self.source.lines)
        return found


def lines_of(source: str) -> set[int]:
    """The line numbers that a source such as `L3, L57-L60` names; empty when a span ends before it begins."""
    found: set[int] = set()
    for span in source.split(", "):
        first, last = _ends(span)
        if last < first:
            return set()
        found.update(range(first, last + 1))
    return found


def spans_of(lines: Iterable[int]) -> tuple[str, ...]:
    """Line numbers as spans: the way back from `lines_of`."""
    spans: list[list[int]] = []
    for line in sorted(set(lines)):
        if spans and spans[-1][1] == line - 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    return tuple(f"L{first}" if first == last else f"L{first}-L{last}" for first, last in spans)


def _ends(span: str) -> tuple[int, int]:
    numbers = [int(number) for number in re.findall(r"[0-9]+", span)]
    return numbers[0], numbers[-1]


def _wrong(message: str, at: Sequence[str | int], **context: Any) -> PydanticCustomError:
    return PydanticCustomError("requirements", message, {**context, "at": list(at)})
