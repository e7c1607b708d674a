"""What an entry of the journal rests on: the records of what was asked of the world before it."""

from __future__ import annotations

from typing import Any

from rollbook.evidence.answers import Asking

EVIDENCE = "evidence"
"""Key of an entry's data: ids of records, in the order in which they were asked last."""
MOST = 32
"""So many records an entry names at most, those asked last; `data.evidence_asked` counts all of them."""


class Resting:
    """Names records for entries; names none without somebody who knows what was asked."""

    def __init__(self, asking: Asking | None) -> None:
        self.asking = asking

    def mark(self) -> int:
        """A moment, for `since`."""
        return self.asking.mark() if self.asking else 0

    def since(self, mark: int) -> dict[str, Any]:
        """What was asked since a mark, as data of an entry; empty when nothing was."""
        asked = self.asking.since(mark) if self.asking else ()
        more = {"evidence_asked": len(asked)} if len(asked) > MOST else {}
        return {EVIDENCE: list(asked[-MOST:]), **more} if asked else {}

    def last(self) -> dict[str, Any]:
        """What this thread asked last, as data of an entry; empty when it asked nothing."""
        last = self.asking.last() if self.asking else ""
        return {EVIDENCE: [last]} if last else {}

    def raise_failure(self) -> None:
        """EnvironmentFailedError when the disk did not take a record."""
        if self.asking:
            self.asking.raise_failure()
