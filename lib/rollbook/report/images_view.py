"""The images that a run released: what is in each, and which commit it was built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rollbook.bundle.images import PROVENANCE, ROOM, SBOM, Described, described
from rollbook.bundle.run_record import PhaseRecord
from rollbook.report import formats
from rollbook.report.places import Places
from rollbook.report.tables import Cell, Table, numbers, text
from rollbook.report.texts import short

LISTED = 40


def read_images(root: Path) -> Mapping[str, Described | None]:
    """What a run's folder says of each image, by digest (hex); None where it cannot be read."""
    found: dict[str, Described | None] = {}
    for folder in sorted((root / ROOM).glob("*/")):
        try:
            files = ((folder / name).read_bytes() for name in (SBOM, PROVENANCE))
            found[folder.name] = described(folder.name, *files)
        except (ValueError, OSError):
            found[folder.name] = None
    return found


def image_table(
    phases: Sequence[PhaseRecord], images: Mapping[str, Described | None], places: Places
) -> Table | None:
    """One row an image, by the first phase that released it; None when no image has an inventory."""
    released: dict[str, str] = {}
    for phase in phases:
        digest = phase.release.digest.removeprefix("sha256:")
        if digest in images:
            released.setdefault(digest, phase.name)
    if not released:
        return None
    return Table(
        "Images",
        (
            *text("Image of", "Digest"),
            *numbers("Components", "Python packages"),
            *text("Built from commit", "Files"),
        ),
        tuple(_row(name, digest, images[digest], places) for digest, name in list(released.items())[:LISTED]),
        note="Components are those of the inventory (CycloneDX), which is read from the image's layers: "
        "Python packages, and every file that belongs to none.",
    )


def _row(name: str, digest: str, found: Described | None, places: Places) -> tuple[Cell, ...]:
    room = f"{ROOM}/{digest}"
    refs = (*places.file(f"{room}/{SBOM}", "inventory"), *places.file(f"{room}/{PROVENANCE}", "provenance"))
    head = (Cell(short(name)), Cell(f"sha256:{short(digest)}", code=True))
    if found is None:
        none = Cell(formats.NONE)
        return (*head, none, none, Cell("cannot be read", "bad"), Cell(refs=refs))
    problems = [sentence for _, sentence in found.problems()]
    built = Cell("; ".join(problems), "bad") if problems else Cell(_commit(found), code=True)
    return (*head, Cell(f"{found.components:,}"), Cell(f"{found.packages:,}"), built, Cell(refs=refs))


def _commit(found: Described) -> str:
    if not found.commit:
        return formats.NONE
    return f"{short(found.commit)}{' with changes' if found.changed else ''}"
