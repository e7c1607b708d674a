"""What a check of the preflight found, and what a check makes of an answer that it did not get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import ClientError

from rollbook.aws.translation import DENIED, code_of
from rollbook.errors import RollbookError

NOT_EMULATED = {"", "400", "InvalidAction", "NotImplemented", "UnknownOperation", "UnknownOperationException"}
"""What an emulator answers to an operation that it does not have. Without a code, the SDK takes the status
for it. MiniStack's EKS says `No route for`."""


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_CHECKED = "not checked"
    """Nothing is known. Never taken for ok."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `next_step` says how to mend it; empty where nothing has to be."""

    name: str
    state: State
    detail: str
    next_step: str = ""


def judged(name: str, state: State, detail: str, next_step: str) -> Finding:
    """A finding whose next step is told only where there is something to mend."""
    return Finding(name, state, detail, "" if state is State.OK else next_step)


def not_checked(name: str, why: str, next_step: str = "") -> Finding:
    """Nothing is known, and why."""
    return Finding(name, State.NOT_CHECKED, why, next_step)


def asked(name: str, check: Callable[[], Finding], *, emulated: bool) -> Finding:
    """The check's finding; where AWS did not answer, what that says.

    What an emulator does not have, and what the credentials may not ask, is not checked. All else fails.
    """
    try:
        return check()
    except RollbookError as error:
        if emulated and _not_emulated(error):
            return not_checked(name, "the emulator does not have this")
        if _code(error) in DENIED:
            return not_checked(name, f"no permission to ask ({error.why})", error.next_step)
        detail = f"{error.what}: {error.why}" if error.why else error.what
        return Finding(name, State.FAIL, detail, error.next_step)


def _not_emulated(error: RollbookError) -> bool:
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    message = str(cause.response.get("Error", {}).get("Message", ""))
    return code_of(cause) in NOT_EMULATED or message.startswith("No route for")


def _code(error: RollbookError) -> str:
    return code_of(error.__cause__) if isinstance(error.__cause__, ClientError) else ""
