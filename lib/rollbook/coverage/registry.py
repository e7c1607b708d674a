"""Checks by name: registered by a decorator, called with validated arguments, with a digest of their code.

    @check("rollout.promoted", needs=CANARY)
    def promoted(bundle: Bundle, phase: str = "") -> Finding:
        \"\"\"What holds when it is proved, in one sentence.\"\"\"

A check is pure: it reads the bundle and nothing else. What it asks `lookup` for and does not find ends it
there, as `no-data` or `not-exercised`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from rollbook.coverage import code
from rollbook.coverage.lookup import Bundle, GapError
from rollbook.coverage.model import Finding, State
from rollbook.coverage.requirement import CheckCall, Requirement
from rollbook.errors import BadInputError

Function = Callable[..., Finding]

LONGEST = 600
"""Characters of a sentence: what it quotes comes from the world, and may be of any length."""
_NAME = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")
_SPEAKING = (State.PROVED, State.FAILED)
_known: dict[str, Check] = {}


@dataclass(frozen=True)
class Need:
    """Something that a run must have done before a check can say anything about it."""

    told: str
    """Completes `this run had no ...`."""
    met: Callable[[Bundle], bool]


@dataclass(frozen=True)
class Check:
    """A registered check."""

    name: str
    function: Function
    arguments: type[BaseModel]
    need: Need | None

    @property
    def sentence(self) -> str:
        """What holds when it is proved."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


def check(name: str, *, needs: Need | None = None) -> Callable[[Function], Function]:
    """Register a check as `room.what_holds`. ValueError when the name is taken, or is none."""

    def register(function: Function) -> Function:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a check")
        if name in _known:
            raise ValueError(f"the check {name} is registered twice")
        _known[name] = Check(name, function, _arguments_of(name, function), needs)
        return function

    return register


def names() -> tuple[str, ...]:
    """Names of all checks, sorted."""
    _load()
    return tuple(sorted(_known))


def find(name: str) -> Check | None:
    """The check of that name, None when there is none."""
    _load()
    return _known.get(name)


def code_sha256(name: str) -> str:
    """SHA-256 (hex) of a check's code and of all that it calls in this package, comments and layout left out.

    KeyError when there is no such check.
    """
    _load()
    return code.sha256(_known[name].function)


def validate(requirement: Requirement) -> None:
    """See that each check of a requirement exists and takes its arguments.

    BadInputError names the requirement, its line, and what is wrong.
    """
    for call in requirement.checks:
        complaint = _complaint(call)
        if complaint:
            where = f"line {requirement.line}: " if requirement.line else ""
            raise BadInputError(f"{where}{requirement.id}: {complaint[0]}", next_step=complaint[1])


def run(call: CheckCall, bundle: Bundle) -> Finding:
    """The finding of one check; `call` must be valid (see `validate`).

    A check that claims anything without evidence, or trips over what it read, has found nothing: `no-data`.
    """
    known = find(call.name)
    if known is None:
        raise KeyError(call.name)
    arguments = dict(known.arguments.model_validate(dict(call.arguments)))
    finding = _guarded(known, bundle, arguments)
    if finding.state in _SPEAKING and not finding.evidence:
        finding = Finding("", {}, State.NO_DATA, f"No evidence was named for this: {finding.sentence}")
    sentence = finding.sentence if len(finding.sentence) <= LONGEST else f"{finding.sentence[: LONGEST - 1]}…"
    return replace(finding, check=call.name, arguments=dict(call.arguments), sentence=sentence)


def _guarded(known: Check, bundle: Bundle, arguments: Mapping[str, Any]) -> Finding:
    try:
        if known.need is not None and not known.need.met(bundle):
            return Finding("", {}, State.NOT_EXERCISED, f"This run had no {known.need.told}.")
        return known.function(bundle, **arguments)
    except GapError as gap:
        return Finding("", {}, gap.state, gap.sentence, gap.evidence)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Evidence may be of any shape: what a check cannot make sense of proves nothing.
        told = f"{type(error).__name__}: {error}"[:200]
        return Finding("", {}, State.NO_DATA, f"The evidence is not of the shape that it should be: {told}.")


def _arguments_of(name: str, function: Function) -> type[BaseModel]:
    hints = get_type_hints(function)
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    return create_model(name, __config__=ConfigDict(extra="forbid", strict=True, frozen=True), **fields)


def _complaint(call: CheckCall) -> tuple[str, str] | None:
    """What is wrong with a call, and what to do; None when nothing is."""
    known = find(call.name)
    if known is None:
        close = get_close_matches(call.name, names(), n=1)
        meant = f"Did you mean {close[0]}?" if close else "`rollbook coverage --checks` lists them."
        return f"there is no check {call.name!r}", meant
    try:
        known.arguments.model_validate(dict(call.arguments))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        taken = ", ".join(known.arguments.model_fields) or "none"
        return f"argument {where!r} of {call.name}: {first['msg'].lower()}", f"It takes: {taken}."
    return None


@cache
def _load() -> None:
    """Import the checks, which register themselves."""
    from rollbook.coverage import checks

    checks.load()
