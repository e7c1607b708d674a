"""What the world answered: content-addressed records of calls, `evidence/sha256/<id[:2]>/<id>.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

SCHEMA = 1
"""Version of a record's shape, its key `v`."""
NO_ANSWER = "no answer"
"""Status of a question that got none; `no_answer` makes what stands in its place."""


@dataclass(frozen=True)
class Asked:
    """A question to a system. `of` names it: `kube-apiserver`, `prometheus`, `aws:sts`, `project`...

    `call` is the operation as the system's own documentation spells it: `GET /apis/argoproj.io/...`,
    `sts:GetCallerIdentity`, `query_range`. `parameters` hold query, window (start, end, step in seconds),
    namespace or body, whatever makes the question complete.
    """

    of: str
    call: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """One record: what was asked, when, from which phase and cell, and the answer as it came, secrets out.

    `id` is the SHA-256 (hex) of the record's file. `cell` is the execution count of the notebook cell that
    asked, as the executed notebook shows it (`In [7]`); None outside a notebook. `status` is the system's
    own word for how it went: an HTTP status, an AWS error code, `ok`.
    """

    id: str
    phase: str
    cell: int | None
    at: datetime
    asked: Asked
    status: str
    answer: Any

    @property
    def path(self) -> str:
        """Where it is, relative to the run's folder."""
        return path_of(self.id)


def path_of(record: str) -> str:
    """Where a record is, relative to the run's folder, by its id."""
    return f"evidence/sha256/{record[:2]}/{record}.json"


def no_answer(error: Exception) -> dict[str, str]:
    """The answer of a question that got none, without addresses of Python's objects: they always differ."""
    return {"error": re.sub(r" object at 0x[0-9a-f]+", "", str(error))}


class Records(Protocol):
    """Keeps what an adapter was answered; `evidence.recorder.Recorder` is the real one."""

    def record(
        self, asked: Asked, status: str, answer: Any, at: datetime | None = None, *, always: bool = False
    ) -> str:
        """Keep an answer; the id of its record. `always`: also when it equals the last one."""


class Asking(Protocol):
    """Knows what was asked, so that an entry of the journal can name the records that it rests on."""

    def mark(self) -> int:
        """A moment."""

    def since(self, mark: int) -> tuple[str, ...]:
        """Ids of what was asked since that moment."""

    def last(self) -> str:
        """Id of what this thread asked last; empty when nothing was."""

    def raise_failure(self) -> None:
        """EnvironmentFailedError when a record could not be written."""
