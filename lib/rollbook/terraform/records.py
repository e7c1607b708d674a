"""Keeps what Terraform was asked and answered, in the shapes that `coverage.checks.terraform` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rollbook.evidence.answers import Asked, Records
from rollbook.terraform.masking import masked

SYSTEM = "terraform"
LARGEST_BYTES = 900_000
"""The record keeps only a digest of what is larger than a megabyte."""
_LEAST_NEEDED = ("configuration", "prior_state", "relevant_attributes", "planned_values", "resource_drift")


class Recording:
    """Records of one root module, `directory`; `emulated` when its provider is sent to an emulator."""

    def __init__(self, records: Records | None, directory: str, *, emulated: bool) -> None:
        self._records = records
        self._always = {"directory": directory, "emulated": emulated}

    def keep(self, call: str, code: int, answer: Any, *, reads: bool = False, **parameters: Any) -> None:
        """One call: its exit code is the status, and the answer is kept without sensitive values."""
        if self._records is not None:
            asked = Asked(SYSTEM, call, {**self._always, **parameters})
            self._records.record(asked, str(code), fitting(masked(answer)), always=not reads)


def fitting(answer: Any, most: int = LARGEST_BYTES) -> Any:
    """A plan that is too long for a record, without what matters least; `left_out` names that."""
    if not isinstance(answer, Mapping):
        return answer
    kept, left_out = dict(answer), list[str]()
    for part in _LEAST_NEEDED:
        if _bytes(kept) <= most:
            break
        if kept.pop(part, None) is not None:
            left_out.append(part)
            kept["left_out"] = list(left_out)
    return kept


def _bytes(answer: Mapping[str, Any] | Sequence[Any]) -> int:
    return len(json.dumps(answer, separators=(",", ":"), default=str))
