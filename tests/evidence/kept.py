"""What adapters hand over to be recorded, kept in a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollbook.evidence.answers import Asked


@dataclass
class Kept:
    """Keeps everything, in order, as `(call, parameters, status, answer)`."""

    all: list[tuple[str, dict[str, Any], str, Any]] = field(default_factory=list)
    always: list[bool] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)

    def record(
        self, asked: Asked, status: str, answer: Any, at: datetime | None = None, *, always: bool = False
    ) -> str:
        self.all.append((asked.call, dict(asked.parameters), status, answer))
        self.always.append(always)
        self.systems.append(asked.of)
        return str(len(self.all))
