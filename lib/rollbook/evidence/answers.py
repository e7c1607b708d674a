"""What the world answered: content-addressed records of calls, `evidence/sha256/<id[:2]>/<id>.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


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
        return f"evidence/sha256/{self.id[:2]}/{self.id}.json"
