"""Where an image comes from: a provenance statement of its build, kept beside the image with its inventory.

An in-toto Statement (v1, https://github.com/in-toto/attestation) with the SLSA provenance predicate (v1,
https://slsa.dev/spec/v1.0/provenance), in a DSSE envelope like that of a run's statement.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rollbook
from rollbook.bundle.envelope import Envelope
from rollbook.bundle.images import PREDICATE_TYPE, PROVENANCE, SBOM
from rollbook.bundle.statement import STATEMENT_TYPE
from rollbook.domain.release import Image
from rollbook.evidence.folder import write_atomically
from rollbook.evidence.project import git
from rollbook.images.inventory import bill_of_materials
from rollbook.images.tree import Tree

BUILD_TYPE = "tag:rollbook.dev,2026:image-of-a-dockerfile/v1"
BUILDER = "tag:rollbook.dev,2026:builder-without-docker"


@dataclass(frozen=True)
class Sources:
    """What an image was built from. `base` is told and not in the image: the host's Python stands in."""

    context: Path
    files: Tree
    """The build context's, by relative path."""
    dockerfile: Path
    arguments: Mapping[str, str]
    base: str


def attestations(layout: Path, digest: str) -> Path:
    """Where inventory and provenance of an image are; the folder is there once it was built here."""
    return layout / "attestations" / digest.removeprefix("sha256:")


def describe(layout: Path, image: Image, sources: Sources) -> None:
    """Write the inventory of an image and the provenance of its build beside it.

    EnvironmentFailedError when the disk refuses.
    """
    folder = attestations(layout, image.digest)
    inventory = bill_of_materials(layout, image)
    envelope = Envelope(statement_of(image, sources, inventory))
    write_atomically(folder / SBOM, inventory)
    write_atomically(folder / PROVENANCE, envelope.to_bytes())


def statement_of(image: Image, sources: Sources, inventory: bytes) -> bytes:
    """The statement as JSON in one spelling. What git says of the sources is asked for here."""
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": image.repository, "digest": {"sha256": image.digest.removeprefix("sha256:")}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "repository": image.repository,
                    "dockerfile": sources.dockerfile.name,
                    "arguments": dict(sources.arguments),
                },
                "internalParameters": {"base": sources.base, "machine": platform.machine()},
                "resolvedDependencies": [*_commit(sources), *_files(sources), *_packages(inventory)],
            },
            "runDetails": {
                "builder": {
                    "id": BUILDER,
                    "version": {"rollbook": rollbook.__version__, "python": platform.python_version()},
                },
                "byproducts": [{"name": SBOM, "digest": {"sha256": hashlib.sha256(inventory).hexdigest()}}],
            },
        },
    }
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _commit(sources: Sources) -> list[dict[str, Any]]:
    """The commit that the sources are of, and whether files of it were changed; nothing outside of git."""
    sha = git(sources.context, "rev-parse", "HEAD").strip()
    if not sha:
        return []
    changed = git(sources.context, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return [
        {"name": "source", "digest": {"gitCommit": sha}, "annotations": {"changed": bool(changed.strip())}}
    ]


def _files(sources: Sources) -> list[dict[str, Any]]:
    found = {f"context/{path}": file.source for path, file in sources.files.items()}
    found["Dockerfile"] = sources.dockerfile
    return [
        {"name": name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}
        for name, path in sorted(found.items())
    ]


def _packages(inventory: bytes) -> list[dict[str, Any]]:
    components = json.loads(inventory)["components"]
    return [{"name": one["name"], "uri": one["purl"]} for one in components if one["type"] == "library"]
