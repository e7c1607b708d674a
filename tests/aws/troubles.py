"""What may be wrong with AWS for one operation, and what has to be said of it."""

from __future__ import annotations

from typing import TypeVar

from tests.aws.faults import Refusal
from tests.aws.verbs import Verb
from tests.proxy import Cut, Lost

Trouble = TypeVar("Trouble")

THROTTLED = Refusal("ThrottlingException", "Rate exceeded")
EXPIRED = Refusal("ExpiredTokenException", "The security token included in the request is expired")
DENIED = Refusal("AccessDeniedException", "User is not authorized to perform this")
ELSEWHERE = Refusal("UnrecognizedClientException", "The security token is invalid", 403)
BUSY = Refusal("ServiceUnavailable", "busy", 503)

STAY = {
    "throttled without end": (THROTTLED, "ThrottlingException", "Wait a minute"),
    "expired credentials": (EXPIRED, "ExpiredTokenException", "Sign in again"),
    "access denied": (DENIED, "AccessDeniedException", "permission"),
    "a region that is not enabled": (ELSEWHERE, "UnrecognizedClientException", "get-caller-identity"),
    "no connection": (Cut(), "Connection", "Check the network"),
}
"""What does not pass: fault, what the error names, and what it says to do."""
PASS = {
    "throttled twice": (THROTTLED, 2),
    "busy twice": (BUSY, 2),
    "cut once": (Cut(), 1),
    "an answer lost": (Lost(), 1),
}


def chosen(table: dict[str, Trouble], verb: Verb, number: int) -> dict[str, Trouble]:
    """All of the troubles; of a verb with many calls two for each call, in turn, and always a lost answer."""
    names = list(table)
    if verb.many:
        kept = {names[number % len(names)], names[(number + 1) % len(names)], "an answer lost"}
        names = [name for name in names if name in kept]
    return {name: table[name] for name in names}
