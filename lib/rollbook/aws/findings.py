"""What a check of the preflight makes of an answer of AWS that it did not get."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import ClientError

from rollbook.aws.translation import DENIED, code_of
from rollbook.domain.findings import Finding, State, judged, not_checked
from rollbook.errors import RollbookError

__all__ = ["Finding", "State", "asked", "judged", "not_checked"]

NOT_EMULATED = {"", "400", "InvalidAction", "NotImplemented", "UnknownOperation", "UnknownOperationException"}
"""What an emulator answers to an operation that it does not have. Without a code, the SDK takes the status
for it. MiniStack's EKS says `No route for`."""


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
