"""Inventory and provenance of the images that a run released: `images/<digest>/` in its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollbook.bundle.envelope import read_envelope

ROOM = "images"
SBOM = "sbom.cdx.json"
PROVENANCE = "provenance.dsse.json"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"


@dataclass(frozen=True)
class Described:
    """What the two files of an image say. `digest` is hex, and so is the SHA-256 of the inventory.

    `about` are the digests that the provenance is about, `inventory_about` those that the inventory is about;
    `commit` is empty where the sources were in no repository.
    """

    digest: str
    components: int
    packages: int
    about: tuple[str, ...]
    inventory_about: tuple[str, ...]
    inventory_sha256: str
    """Of the inventory as it is."""
    stated_sha256: str
    """Of the inventory that the provenance names."""
    commit: str
    changed: bool
    wrong: str = ""
    """What is wrong with the envelope's spelling; empty when nothing is."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """File and sentence of each thing in which they do not belong together."""
        if self.wrong:
            yield PROVENANCE, self.wrong
        if self.digest not in self.about:
            yield PROVENANCE, "it is about another image"
        if self.digest not in self.inventory_about:
            yield SBOM, "it is about another image"
        if self.inventory_sha256 != self.stated_sha256:
            yield SBOM, "it is not the inventory that the provenance names"


def described(digest: str, inventory: bytes, provenance: bytes) -> Described:
    """Read both files. ValueError when one of them is not what its name says."""
    envelope, wrong = read_envelope(provenance)
    if envelope is None:
        raise ValueError(wrong)
    try:
        statement = json.loads(envelope.payload)
        predicate = statement["predicate"]
        sources = [
            one for one in predicate["buildDefinition"]["resolvedDependencies"] if one["name"] == "source"
        ]
        byproducts = {one["name"]: one["digest"]["sha256"] for one in predicate["runDetails"]["byproducts"]}
        whole = json.loads(inventory)
        components = list(whole["components"])
        hashes = whole["metadata"]["component"]["hashes"]
        return Described(
            digest=digest,
            components=len(components),
            packages=sum(one["type"] == "library" for one in components),
            about=tuple(str(one["digest"]["sha256"]) for one in statement["subject"]),
            inventory_about=tuple(str(one["content"]) for one in hashes),
            inventory_sha256=hashlib.sha256(inventory).hexdigest(),
            stated_sha256=str(byproducts[SBOM]),
            commit=str(sources[0]["digest"]["gitCommit"]) if sources else "",
            changed=bool(sources and sources[0]["annotations"]["changed"]),
            wrong=_form(statement, whole) or wrong,
        )
    except (KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"it is not of the form that it should be ({type(error).__name__})") from error


def _form(statement: Mapping[str, Any], inventory: Mapping[str, Any]) -> str:
    if statement["predicateType"] != PREDICATE_TYPE:
        return "it is no provenance of a build"
    return "" if inventory["bomFormat"] == "CycloneDX" else "its inventory is none"


def image_problems(root: Path) -> Iterator[tuple[str, str]]:
    """Path and sentence of what does not belong together, over all images of a run's folder."""
    room = root / ROOM
    for folder in sorted(room.iterdir()) if room.is_dir() else ():
        inventory, provenance = folder / SBOM, folder / PROVENANCE
        place = f"{ROOM}/{folder.name}"
        if not (inventory.is_file() and provenance.is_file()):
            yield place, f"it has not both of {SBOM} and {PROVENANCE}"
            continue
        try:
            found = described(folder.name, inventory.read_bytes(), provenance.read_bytes())
        except (ValueError, OSError) as error:
            yield f"{place}/{PROVENANCE}", f"it cannot be read with its inventory: {error}"
            continue
        yield from ((f"{place}/{name}", sentence) for name, sentence in found.problems())
