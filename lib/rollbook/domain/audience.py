"""Users with names: who comes back, and which variant of an experiment each of them gets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

A, B = "a", "b"
VARIANTS = (A, B)
VISITS_OF_NEW_USERS = 3
"""Of each four requests in a row, this many are a user's first; the fourth is of one who was there before."""


@dataclass(frozen=True)
class Audience:
    """The users of one experiment, and the headers that tell who they are and what they did."""

    name: str
    """Of this experiment: part of each user's id, so that another experiment deals variants out anew."""
    user_header: str
    """Request header that carries the user's id."""
    variant_header: str
    """Request header that carries the variant; the edge routes by it."""
    outcome_header: str
    """Header of an answer: `1` when the user converted, `0` when not."""

    def user(self, request: int) -> str:
        """Id of the user who sends request number `request`, from 0 on."""
        return f"{self.name}-{user_number(request)}"


def user_number(request: int) -> int:
    """Number of the user who sends a request; each fourth is of one who came about half the time ago."""
    round_, place = divmod(request, VISITS_OF_NEW_USERS + 1)
    if place < VISITS_OF_NEW_USERS:
        return VISITS_OF_NEW_USERS * round_ + place
    return VISITS_OF_NEW_USERS * round_ // 2


def variant_of(user: str) -> str:
    """The variant of a user: by a hash of the id alone, so the same each time; each variant for one half."""
    return VARIANTS[hashlib.sha256(f"variant:{user}".encode()).digest()[0] % 2]


def is_first_visit(request_id: str) -> bool:
    """Whether a request was a user's first, by its id: the sender's name, a dash, and the request's
    number."""
    return int(request_id.rpartition("-")[2]) % (VISITS_OF_NEW_USERS + 1) < VISITS_OF_NEW_USERS
