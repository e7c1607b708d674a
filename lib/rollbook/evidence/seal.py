"""The journal's seal: its last entry holds a digest of everything before it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rollbook.errors import EvidenceInvalidError
from rollbook.evidence.journal import RESUMED, SEALED, Entry, Kind, parse_line, read_journal


class Seal(StrEnum):
    """Whether a journal is whole."""

    SEALED = "sealed"
    """Its last entry is a seal, and every seal in it fits what stands before it."""
    OPEN = "open"
    """No seal at its end: its writer died, or still writes."""
    BROKEN = "broken"
    """It was changed after it was sealed, or cannot be read."""


@dataclass(frozen=True)
class SealState:
    """The state of a journal, a sentence about it, its whole entries, and the digest that the seal holds."""

    state: Seal
    sentence: str
    entries: int = 0
    sha256: str = ""


def journal_state(path: Path) -> SealState:
    """Check the seals of a journal. Whatever is wrong with it is told in the sentence, and raises nothing."""
    try:
        content = path.read_bytes()
        entries = len(read_journal(path))
    except FileNotFoundError:
        return SealState(Seal.OPEN, "There is no journal.")
    except EvidenceInvalidError as error:
        return SealState(Seal.BROKEN, f"The journal cannot be read: {error}")
    except OSError as error:
        return SealState(Seal.BROKEN, f"The journal cannot be read: {error.strerror or error}.")
    return _checked(content, entries)


def _checked(content: bytes, entries: int) -> SealState:
    digest = hashlib.sha256()
    seal: Entry | None = None
    torn_after_seal = False
    ever_sealed = False
    for line in content.splitlines(keepends=True):
        entry = parse_line(line)
        if entry is None:
            torn_after_seal = torn_after_seal or seal is not None
        elif entry.kind is Kind.RUN and entry.name == SEALED:
            wrong = _mismatch(entry, digest.hexdigest())
            if seal is not None:
                wrong = "it is sealed twice"
            if wrong:
                return SealState(
                    Seal.BROKEN, f"The journal was changed after it was sealed: {wrong}.", entries
                )
            seal, ever_sealed = entry, True
        elif seal is not None:
            if entry.kind is not Kind.RUN or entry.name != RESUMED:
                return SealState(
                    Seal.BROKEN,
                    f"The journal was changed after it was sealed: entry {entry.seq} follows the seal.",
                    entries,
                )
            seal, torn_after_seal = None, False
        digest.update(line)
    if seal is None:
        again = "The run was taken up again, and the" if ever_sealed else "The"
        return SealState(
            Seal.OPEN, f"{again} journal is not sealed: what wrote it died, or still writes.", entries
        )
    if torn_after_seal:
        return SealState(
            Seal.OPEN,
            "The journal goes on after its seal with a torn line: what took the run up again died.",
            entries,
        )
    return SealState(
        Seal.SEALED, f"The journal is sealed after {entries} entries.", entries, str(seal.data["sha256"])
    )


def _mismatch(seal: Entry, sha256: str) -> str:
    """Why a seal does not fit what stands before it; empty when it does."""
    if seal.data.get("entries") != seal.seq - 1:
        return f"the seal is of {seal.data.get('entries')} entries, and {seal.seq - 1} stand before it"
    if seal.data.get("sha256") != sha256:
        return "what stands before the seal has another digest"
    return ""
