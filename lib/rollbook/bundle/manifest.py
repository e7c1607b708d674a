"""`manifest.json`: every file of a run's folder with its size and digest, and one digest over the evidence.

A file is `evidence`, or `derived`: made from the evidence, and made again by `rollbook report`. The digest
over the evidence (`evidence_sha256`) is the SHA-256 of one line a file, in the order of their paths' bytes,
`<SHA-256 of the file>  <path>\\n`: what `sha256sum` prints. A derived file can show it without changing it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rollbook.errors import EvidenceInvalidError

SCHEMA = 1
MANIFEST = "manifest.json"
STATEMENT = "statement.dsse.json"
SEALS = frozenset({MANIFEST, STATEMENT})
"""What a manifest does not list: itself, and the statement about it."""
EVIDENCE = "evidence"
DERIVED = "derived"
_DERIVED = frozenset({"report.html", "summary.md", "junit.xml", "coverage.json", "replay.json"})
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ListedFile:
    """A file of the bundle: path within the folder, SHA-256 (hex), size in bytes, `evidence` or `derived`."""

    path: str
    sha256: str
    size: int
    kind: str


@dataclass(frozen=True)
class Manifest:
    """All files of a run's folder, by path, and the digest over those that are evidence."""

    run: str
    evidence_sha256: str
    files: tuple[ListedFile, ...]

    def to_json(self) -> dict[str, Any]:
        """As `manifest.json` has it."""
        files = [
            {"path": one.path, "sha256": one.sha256, "size": one.size, "kind": one.kind} for one in self.files
        ]
        return {"v": SCHEMA, "run": self.run, "evidence_sha256": self.evidence_sha256, "files": files}


class _File(BaseModel):
    model_config = ConfigDict(strict=True)
    path: str
    sha256: str
    size: int
    kind: str


class _Manifest(BaseModel):
    model_config = ConfigDict(strict=True)
    v: int
    run: str
    evidence_sha256: str
    files: list[_File]


def manifest_of(root: Path) -> Manifest:
    """List the folder as it is now. Links and other things that are no regular files are left out."""
    files = tuple(
        ListedFile(path, file_sha256(found), found.stat().st_size, kind_of(path))
        for path, found in regular_files(root).items()
        if path not in SEALS
    )
    return Manifest(root.name, digest_of(files), files)


def parse_manifest(content: bytes) -> Manifest:
    """Read `manifest.json`. EvidenceInvalidError when it is none, or of a newer rollbook."""
    try:
        read = _Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EvidenceInvalidError(f"{MANIFEST} cannot be read", why=f"{where}: {first['msg']}") from error
    if read.v > SCHEMA:
        raise EvidenceInvalidError(
            f"{MANIFEST} was written by a newer rollbook",
            why=f"its schema is {read.v}, and this rollbook knows {SCHEMA}",
            next_step="Use a rollbook that is as new as the one that ran.",
        )
    files = tuple(ListedFile(one.path, one.sha256, one.size, one.kind) for one in read.files)
    return Manifest(read.run, read.evidence_sha256, files)


def evidence_sha256(root: Path) -> str:
    """The digest over the evidence of a run's folder as it is now (hex)."""
    return manifest_of(root).evidence_sha256


def digest_of(files: Iterable[ListedFile]) -> str:
    """The digest over those files that are evidence (hex)."""
    digest = hashlib.sha256()
    for one in sorted(files, key=lambda one: one.path.encode()):
        if one.kind == EVIDENCE:
            digest.update(f"{one.sha256}  {one.path}\n".encode())
    return digest.hexdigest()


def kind_of(path: str) -> str:
    """`derived` for what is made from the evidence, `evidence` for anything else."""
    page = path.startswith("notebooks/") and path.endswith(".html")
    return DERIVED if path in _DERIVED or page else EVIDENCE


def regular_files(root: Path) -> Mapping[str, Path]:
    """Regular files of a folder by their paths in it, in order; links are not followed."""
    return {path: found for path, found, mode in _entries(root) if stat.S_ISREG(mode)}


def irregular_files(root: Path) -> tuple[str, ...]:
    """Paths of links, pipes and the like, which no bundle has."""
    return tuple(path for path, _, mode in _entries(root) if not stat.S_ISREG(mode))


def _entries(root: Path) -> Iterator[tuple[str, Path, int]]:
    """Everything in a folder but plain folders: path within it, path, mode."""
    found = []
    for folder, folders, names in os.walk(root):
        for name in (*names, *folders):
            path = Path(folder) / name
            mode = path.lstat().st_mode
            if not stat.S_ISDIR(mode):
                relative = os.fsencode(path.relative_to(root).as_posix())
                found.append((relative.decode(errors="backslashreplace"), path, mode))
    yield from sorted(found)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file (hex)."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
