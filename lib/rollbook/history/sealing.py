"""Whether what the index shows of a run is what was sealed: its small files against manifest and statement.

The rest of a record (logs, objects, answers) is not looked at: `rollbook verify` does that.
"""

from __future__ import annotations

import hashlib
import os
from enum import StrEnum
from pathlib import Path

from rollbook.bundle.envelope import read_envelope
from rollbook.bundle.manifest import MANIFEST, STATEMENT, parse_manifest
from rollbook.coverage.coverage_file import NAME as COVERAGE
from rollbook.errors import RollbookError
from rollbook.evidence.journal import SEALED, Kind, parse_line

SHOWN = ("run.json", COVERAGE)
"""The files from which a row is made."""
TAIL = 64 * 2**10
"""Bytes at the end of a journal among which its last entry is looked for."""


class RecordSeal(StrEnum):
    """How a record was closed, and whether the figures of the index are those that it was closed with."""

    SIGNED = "sealed and signed"
    """By whom, `rollbook verify --key` says."""
    SEALED = "sealed, not signed"
    JOURNAL = "journal sealed"
    """Of a run without a statement."""
    OPEN = "not sealed"
    CHANGED = "changed since its seal"


def recorded_seal(folder: Path) -> RecordSeal:
    """The state of a run's folder. Nothing in it makes this raise."""
    if not (folder / STATEMENT).is_file():
        return RecordSeal.JOURNAL if _ends_with_seal(folder / "journal.jsonl") else RecordSeal.OPEN
    try:
        envelope, wrong = read_envelope((folder / STATEMENT).read_bytes())
        if envelope is None or wrong:
            return RecordSeal.CHANGED
        content = (folder / MANIFEST).read_bytes()
        if envelope.subject_sha256(MANIFEST) != _sha256(content):
            return RecordSeal.CHANGED
        listed = {one.path: one.sha256 for one in parse_manifest(content).files}
        for name in SHOWN:
            path = folder / name
            if listed.get(name) != (_sha256(path.read_bytes()) if path.is_file() else None):
                return RecordSeal.CHANGED
    except (OSError, RollbookError):
        return RecordSeal.CHANGED
    held, broken = envelope.checked()
    if broken:
        return RecordSeal.CHANGED
    return RecordSeal.SIGNED if held else RecordSeal.SEALED


def _ends_with_seal(journal: Path) -> bool:
    try:
        with journal.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().splitlines()
        last = parse_line(lines[-1]) if lines else None
    except (OSError, RollbookError, ValueError, OverflowError, RecursionError):
        return False
    return last is not None and last.kind is Kind.RUN and last.name == SEALED


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
