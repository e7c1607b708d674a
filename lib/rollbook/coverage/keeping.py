"""Coverage of a run's folder: pinned when the run begins, worked out when it ends, and again whenever asked.

requirements.yaml  the project's requirements when the run began
pins.json          digests of what the evidence is about, at that moment
coverage.json      what was found (docs/coverage.schema.json)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rollbook.bundle.load import load
from rollbook.bundle.manifest import EVIDENCE, MANIFEST, evidence_sha256, kind_of, parse_manifest
from rollbook.coverage import coverage_file, registry, requirements_file
from rollbook.coverage.assess import assess
from rollbook.coverage.lookup import Bundle
from rollbook.coverage.model import Coverage
from rollbook.coverage.pins import Pins, take, text_sha256
from rollbook.coverage.requirement import Requirements
from rollbook.errors import BadInputError, EvidenceInvalidError, RollbookError
from rollbook.evidence.folder import RunFolder, to_json, write_atomically
from rollbook.evidence.project import project_files

REQUIREMENTS = Path("docs/requirements.yaml")
KEPT = "requirements.yaml"
PINS = "pins.json"
SCHEMA = 1
NO_CHECKOUT = (
    "There was no checkout to compare with: whether requirements or files were changed since the run is not "
    "known."
)
NOT_SEALED = "The run was not sealed: a file that was changed since cannot be told from the others."
_PINS: TypeAdapter[Pins] = TypeAdapter(Pins)


def project_requirements(project: Path) -> Requirements | None:
    """The requirements of a project, None when it has none. To be called before anything is begun.

    BadInputError names the line when the file cannot be read, or names a check that does not exist.
    """
    source = project / REQUIREMENTS
    if not source.is_file():
        return None
    requirements = _load(source)
    for requirement in requirements.requirements:
        registry.validate(requirement)
    return requirements


def begin_coverage(folder: RunFolder, project: Path) -> bool:
    """Keep the project's requirements in the run's folder, and pin what evidence will be about.

    False, and nothing is done, for a project without `docs/requirements.yaml`. A run that is taken up again
    keeps the pins of its first begin. BadInputError when the requirements cannot be read or name checks that
    do not exist, EnvironmentFailedError when the disk refuses.
    """
    if (folder.path / PINS).is_file():
        return True
    requirements = project_requirements(project)
    if requirements is None:
        return False
    write_atomically(folder.path / KEPT, (project / REQUIREMENTS).read_bytes())
    pins = {"v": SCHEMA, **asdict(take(requirements, project_files(project)))}
    write_atomically(folder.path / PINS, to_json(pins))
    return True


def finish_coverage(folder: RunFolder, project: Path) -> Coverage | None:
    """Work out the coverage of a run that has just ended, and write `coverage.json`.

    To be called when run.json and the journal are final, and before anything is made of the bundle. None for
    a run that began without requirements. Never raises for what evidence holds: what cannot be judged is
    `no-data`. EnvironmentFailedError when the disk refuses.
    """
    kept = folder.path / KEPT
    if not kept.is_file():
        return None
    requirements = _load(kept)
    coverage = assess(
        requirements,
        Bundle(load(folder), _reader(folder.path)),
        pins=_pins(folder.path),
        now=_now(requirements, project),
    )
    found = coverage_file.to_json(coverage, evidence_sha256(folder.path))
    write_atomically(folder.path / coverage_file.NAME, to_json(folder.scrubber.json(found)))
    return coverage


def coverage_now(folder: RunFolder, project: Path | None) -> Coverage:
    """The coverage of a run, worked out anew against the requirements, code and files that are there now.

    `project` is a checkout; None when there is none: then the run's own requirements are taken, and only the
    checks' code can be compared. BadInputError when there are no requirements at all.
    """
    root = folder.path
    source = project / REQUIREMENTS if project else root / KEPT
    if not source.is_file():
        raise BadInputError(
            f"there are no requirements to measure {folder.run_id} by",
            why=f"neither the checkout nor the run's folder has a {KEPT}",
            next_step="Call it in the project's folder, or give one with --project.",
        )
    requirements = _load(source)
    pins = _pins(root)
    if project is not None:
        now: Pins | None = take(requirements, project_files(project))
    else:
        checks = {name: registry.code_sha256(name) for name in registry.names()}
        now = Pins(pins.requirements, checks, pins.artefacts) if pins else None
    evidence = load(folder)
    changed, told = _changed(root, {file.path: file.sha256 for file in evidence.files})
    notes = [*([] if project else [NO_CHECKOUT]), *told]
    earlier: Coverage | None = None
    try:
        before = coverage_file.read(root)
        earlier = before[0] if before else None
    except EvidenceInvalidError as error:
        notes.append(f"{error}")
    return assess(
        requirements,
        Bundle(evidence, _reader(root), changed),
        pins=None if PINS in changed else pins,
        now=now,
        earlier=earlier,
        notes=tuple(notes),
    )


def find_project(start: Path) -> Path | None:
    """The folder at or above `start` that has docs/requirements.yaml; None when there is none."""
    return next((one for one in (start, *start.parents) if (one / REQUIREMENTS).is_file()), None)


def _load(path: Path) -> Requirements:
    """As `requirements_file.load`, once for the same text: reading it takes most of a second."""
    try:
        return _loaded(path.read_text(encoding="utf-8"), path.name)
    except (OSError, ValueError):
        return requirements_file.load(path)  # which says what is wrong with the file


@lru_cache(maxsize=4)
def _loaded(text: str, source: str) -> Requirements:
    return requirements_file.loads(text, source)


def _now(requirements: Requirements, project: Path) -> Pins:
    """What is there when the run ends. Requirements that cannot be read any more are changed ones."""
    try:
        current = _load(project / REQUIREMENTS).requirements
    except RollbookError:
        current = ()
    texts = {row.id: text_sha256(row) for row in current}
    pinned = take(requirements, project_files(project))
    now = {row.id: texts.get(row.id, "") for row in requirements.requirements}
    return Pins(now, pinned.checks, pinned.artefacts)


def _pins(root: Path) -> Pins | None:
    """What was pinned when the run began; None when that is not there or cannot be read."""
    try:
        raw = json.loads((root / PINS).read_bytes())
        return _PINS.validate_python({key: one for key, one in raw.items() if key != "v"})
    except (OSError, ValueError, AttributeError, ValidationError):
        return None


def _reader(root: Path) -> Callable[[str], bytes]:
    return lambda path: (root / path).read_bytes()


def _changed(root: Path, files: dict[str, str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Files of the evidence that are not what the run's manifest says, and sentences about that."""
    try:
        manifest = parse_manifest((root / MANIFEST).read_bytes())
    except OSError:
        return frozenset(), (NOT_SEALED,)
    except EvidenceInvalidError as error:
        return frozenset(files), (f"{error}. No file of the run can be believed: see `rollbook verify`.",)
    listed = {one.path: one.sha256 for one in manifest.files if one.kind == EVIDENCE}
    changed = {
        path for path, digest in files.items() if kind_of(path) == EVIDENCE and listed.get(path) != digest
    }
    gone = len(set(listed) - set(files))
    if not changed and not gone:
        return frozenset(), ()
    told = f"{len(changed)} files of the evidence were changed or added, and {gone} removed"
    return frozenset(changed), (f"Since the run was sealed, {told}: see `rollbook verify`.",)
