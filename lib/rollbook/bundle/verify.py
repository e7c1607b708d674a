"""Verifies a run's folder: every file against the manifest, the manifest against the statement, the
statement against the evidence and its signatures, each record against its name, each image's inventory
against the provenance of its build, and the journal's seal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rollbook.bundle.answers import read_answers
from rollbook.bundle.envelope import read_envelope
from rollbook.bundle.images import image_problems
from rollbook.bundle.manifest import (
    DERIVED,
    MANIFEST,
    SEALS,
    STATEMENT,
    ListedFile,
    Manifest,
    digest_of,
    file_sha256,
    irregular_files,
    kind_of,
    parse_manifest,
    regular_files,
)
from rollbook.bundle.statement import statement_of
from rollbook.errors import RollbookError
from rollbook.evidence.answers import path_of
from rollbook.evidence.seal import Seal, journal_state

CHANGED, ADDED, REMOVED, RENAMED, DAMAGED = "changed", "added", "removed", "renamed", "damaged"
UNSEALED, UNSIGNED = "unsealed", "unsigned"
_JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Problem:
    """What does not verify: the file, what is wrong with it (`changed`, `added`, `removed`, `renamed`,
    `damaged`, `unsealed`, `unsigned`), and a sentence."""

    path: str
    kind: str
    sentence: str


@dataclass(frozen=True)
class Verification:
    """What was verified of a run's folder. `signed_by` are the public keys (hex) whose signatures hold."""

    run: str
    problems: tuple[Problem, ...]
    files: int
    records: int
    evidence_sha256: str
    signed_by: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(root: Path, key: str = "") -> Verification:
    """Verify a run's folder; with `key` (a public key in hex), a statement that is not signed with it is a
    problem too.

    Never raises for what the folder holds. EnvironmentFailedError or OSError when it cannot be read at all.
    """
    manifest, content, problems = _manifest(root)
    signed_by: tuple[str, ...] = ()
    if (root / STATEMENT).is_file():
        found, signed_by = _statement(root, manifest, content, key)
        problems += found
    else:
        problems.append(_unsealed(manifest))
    if manifest is not None:
        problems += _files(root, manifest)
    problems += _records(root)
    problems += (Problem(path, DAMAGED, sentence) for path, sentence in image_problems(root))
    problems += _journal(root)
    return Verification(
        run=manifest.run if manifest else root.name,
        problems=_each_once(problems),
        files=len(manifest.files) if manifest else 0,
        records=len(read_answers(root)),
        evidence_sha256=manifest.evidence_sha256 if manifest else "",
        signed_by=signed_by,
    )


def _manifest(root: Path) -> tuple[Manifest | None, bytes, list[Problem]]:
    try:
        content = (root / MANIFEST).read_bytes()
    except OSError:
        sealed = (root / STATEMENT).exists()
        gone = Problem(MANIFEST, REMOVED, "it is not there, so no file can be compared with it")
        return None, b"", [gone] if sealed else []
    try:
        manifest = parse_manifest(content)
    except RollbookError as error:
        return None, content, [Problem(MANIFEST, DAMAGED, f"it cannot be read: {error.why or error.what}")]
    if digest_of(manifest.files) != manifest.evidence_sha256:
        wrong = "its digest over the evidence is not that of the files that it lists"
        return manifest, content, [Problem(MANIFEST, CHANGED, wrong)]
    return manifest, content, []


def _unsealed(manifest: Manifest | None) -> Problem:
    if manifest is not None:
        return Problem(STATEMENT, REMOVED, "it is not there, so nothing vouches for the manifest")
    return Problem(
        STATEMENT,
        UNSEALED,
        "this run has no statement: it was cut off before its end, or made before runs were sealed",
    )


def _statement(
    root: Path, manifest: Manifest | None, content: bytes, key: str
) -> tuple[list[Problem], tuple[str, ...]]:
    """What is wrong with the statement, and whose signatures of it hold."""
    envelope, wrong = read_envelope((root / STATEMENT).read_bytes())
    if envelope is None:
        return [Problem(STATEMENT, DAMAGED, wrong)], ()
    problems = [Problem(STATEMENT, CHANGED, wrong)] if wrong else []
    signed_by, broken = envelope.checked()
    problems += [Problem(STATEMENT, CHANGED, sentence) for sentence in broken]
    if key and key not in signed_by:
        said = "it is not signed at all" if not envelope.signatures else "it is signed, but not with this key"
        problems.append(Problem(STATEMENT, UNSIGNED, said))
    stated = envelope.subject_sha256(MANIFEST)
    if content and stated != hashlib.sha256(content).hexdigest():
        problems.append(Problem(MANIFEST, CHANGED, "it is not the manifest that the statement is about"))
    if not stated:
        problems.append(Problem(STATEMENT, CHANGED, "it is not about a manifest"))
    elif manifest is not None and _says_otherwise(root, manifest, stated, envelope.payload):
        problems.append(Problem(STATEMENT, CHANGED, "it does not say what run.json and the journal say"))
    return problems, signed_by


def _says_otherwise(root: Path, manifest: Manifest, stated: str, payload: bytes) -> bool:
    """Whether the evidence makes another statement than the one that is there."""
    try:
        return statement_of(root, manifest, stated) != payload
    except (RollbookError, RecursionError):
        return False  # what cannot be read is told as a changed file


def _files(root: Path, manifest: Manifest) -> Iterator[Problem]:
    """Files that are not as the manifest lists them."""
    there = {path: found for path, found in regular_files(root).items() if path not in SEALS}
    listed = {one.path: one for one in manifest.files}
    odd = set(irregular_files(root))
    for path in sorted(odd):
        yield Problem(path, ADDED, "it is a link or another thing that is no regular file")
    digests = {path: file_sha256(found) for path, found in there.items()}
    gone = {path: one for path, one in listed.items() if path not in there}
    new = {path: digest for path, digest in digests.items() if path not in listed}
    for path, one in sorted(listed.items()):
        if path in there:
            yield from _compared(one, digests[path], listed)
    for path, one in sorted(gone.items()):
        other = next((name for name, digest in sorted(new.items()) if digest == one.sha256), "")
        if other:
            yield Problem(path, RENAMED, f"it is called {other} now")
        elif path not in odd:
            yield Problem(path, REMOVED, "it is in the manifest, and not there")
    known = {one.sha256: path for path, one in sorted(listed.items())}
    for path, digest in sorted(new.items()):
        origin = known.get(digest, "")
        copied = f"; it holds what {origin} held" if origin else ""
        yield Problem(path, ADDED, f"it is not in the manifest{copied}")


def _compared(listed: ListedFile, digest: str, all_listed: Mapping[str, ListedFile]) -> Iterator[Problem]:
    if listed.kind != kind_of(listed.path):
        yield Problem(MANIFEST, CHANGED, f"it calls {listed.path} {listed.kind}, and that is not what it is")
    if digest == listed.sha256:
        return
    twin = next((path for path, one in sorted(all_listed.items()) if one.sha256 == digest), "")
    sentence = f"it holds what {twin} should hold" if twin else "its digest is not the one in the manifest"
    made = " (it is made from the evidence: `rollbook report` makes it again)"
    yield Problem(listed.path, CHANGED, sentence + (made if listed.kind == DERIVED else ""))


def _records(root: Path) -> Iterator[Problem]:
    """Records whose name is not the digest of what they hold."""
    for path, found in regular_files(root).items():
        if path.startswith("evidence/") and path != path_of(file_sha256(found)):
            yield Problem(path, DAMAGED, "its name is not the digest of what it holds")


def _journal(root: Path) -> Iterator[Problem]:
    state = journal_state(root / _JOURNAL)
    if state.state is Seal.BROKEN:
        yield Problem(_JOURNAL, CHANGED, state.sentence)
    elif state.state is Seal.OPEN:
        yield Problem(_JOURNAL, UNSEALED, state.sentence)


def _each_once(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problems))
