"""Where in the page each file and each record of the bundle is listed, so that a number can link to it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from rollbook.bundle.load import Evidence, KeptFile
from rollbook.bundle.manifest import EVIDENCE, kind_of
from rollbook.evidence.answers import Answer
from rollbook.report.tables import Ref

RECORD = re.compile(r"evidence/sha256/[0-9a-f]{2}/([0-9a-f]{64})\.json")
PROJECT = "project"
"""Of whom a record was asked that holds a file of the project."""
ALL = "."
"""As the path of a reference: all of the evidence."""
FILES_ANCHOR = "files"
FILES_LISTED = 400
REFS = 4
"""Links in one cell; a cell that rests on more says how many more."""


def file_anchor(path: str) -> str:
    """Anchor of a file's row: short, and the same for the same path."""
    return "f-" + hashlib.sha256(os.fsencode(path)).hexdigest()[:10]


def record_anchor(identity: str) -> str:
    """Anchor of a record's row, by the first digits of its digest."""
    return f"r-{identity[:12]}"


def address(path: str) -> str:
    """A path within the run's folder as an address relative to it, whatever bytes its name has."""
    return quote(os.fsencode(path))


def listed_files(files: Iterable[KeptFile]) -> tuple[KeptFile, ...]:
    """Files of the evidence beside the records; what is made from it would not be the same each time."""
    return tuple(kept for kept in files if kind_of(kept.path) == EVIDENCE and not RECORD.fullmatch(kept.path))


class Places:
    """The files and records that the page lists. A record that was asked for is sure to be listed."""

    def __init__(self, evidence: Evidence) -> None:
        listed = listed_files(evidence.files)
        self._files = {kept.path: file_anchor(kept.path) for kept in listed[:FILES_LISTED]}
        self._records: Mapping[str, Answer] = {one.id: one for one in evidence.answers}
        self.referred: set[str] = set()

    def file(self, path: str, label: str = "") -> tuple[Ref, ...]:
        """A link to a file of the bundle; none when it is not there."""
        if path == ALL:
            return (Ref(label or "all of the evidence", FILES_ANCHOR),)
        found = RECORD.fullmatch(path)
        if found:
            return self.record(found[1], label)
        anchor = self._files.get(path)
        return (Ref(label or path, anchor),) if anchor else ()

    def files(self, *paths: str) -> tuple[Ref, ...]:
        """Links to those of the files that are there."""
        return tuple(ref for path in paths for ref in self.file(path))

    def beneath(self, folder: str) -> tuple[Ref, ...]:
        """Links to the files beneath a folder."""
        return self.files(*(path for path in self._files if path.startswith(f"{folder}/")))

    def record(self, identity: str, label: str = "") -> tuple[Ref, ...]:
        """A link to a record; none when the bundle does not hold it."""
        if identity not in self._records:
            return ()
        self.referred.add(identity)
        return (Ref(label or identity[:8], record_anchor(identity)),)

    def records(self, identities: object) -> tuple[Ref, ...]:
        """Links to the first of the records that an entry of the journal names."""
        if not isinstance(identities, list | tuple):
            return ()
        known = [one for one in dict.fromkeys(identities) if isinstance(one, str) and one in self._records]
        refs = [ref for one in known[:REFS] for ref in self.record(one)]
        if len(known) > REFS:
            refs[-1] = Ref(f"{refs[-1].label} and {len(known) - REFS} more", refs[-1].anchor)
        return tuple(refs)

    def project_file(self, path: str) -> tuple[Ref, ...]:
        """A link to the record of a project file's text at the time of the run; none when it was not read."""
        for one in self._records.values():
            if one.asked.of == PROJECT and one.asked.parameters.get("path") == path:
                return self.record(one.id)
        return ()
