"""What is in an image and where it comes from: read from the image, bound to its digest, and verified."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollbook.bundle.envelope import read_envelope
from rollbook.bundle.images import PROVENANCE, ROOM, SBOM, described, image_problems
from rollbook.domain.release import Image
from rollbook.errors import NotFoundError
from rollbook.images.build import OciImageBuilder
from rollbook.images.inventory import bill_of_materials
from rollbook.images.origin import attestations
from rollbook.images.requirements import _tidy

RECORD = "Some_Thing-1.0+local.dist-info"


def sources(folder: Path) -> Path:
    """A service with one installed package in it."""
    package = folder / "site" / RECORD
    package.mkdir(parents=True)
    (package / "METADATA").write_text(
        "Name: Some_Thing\nVersion: 1.0+local\nLicense-Expression: MIT\n\nIt is.\n"
    )
    (package / "RECORD").write_text(f"some_thing.py,sha256=x,3\n{RECORD}/METADATA,,\n{RECORD}/RECORD,,\n")
    (folder / "site" / "some_thing.py").write_text("x=1")
    (folder / "service.py").write_text("print('well')")
    text = (
        'FROM scratch\nCOPY service.py /app/\nCOPY site /app/site\nENTRYPOINT ["python", "/app/service.py"]\n'
    )
    (folder / "Dockerfile").write_text(text)
    (folder / ".dockerignore").write_text("Dockerfile\n")
    return folder


@pytest.fixture
def built(tmp_path: Path) -> tuple[Image, Path]:
    """An image and its layout."""
    context = sources(tmp_path / "source")
    return OciImageBuilder(tmp_path / "layout", tmp_path / "cache").build(
        context=context, dockerfile=context / "Dockerfile", repository="registry/some", version="1.0.0"
    )


def files_of(built: tuple[Image, Path]) -> tuple[bytes, bytes]:
    image, layout = built
    folder = attestations(layout, image.digest)
    return (folder / SBOM).read_bytes(), (folder / PROVENANCE).read_bytes()


def test_the_inventory_has_packages_and_all_other_files(built: tuple[Image, Path]) -> None:
    """A package by its dist-info, with the files that it owns; every other file with its SHA-256."""
    whole = json.loads(files_of(built)[0])
    library, file = whole["components"]

    assert ("CycloneDX", "1.6") == (whole["bomFormat"], whole["specVersion"])
    assert ("library", "Some_Thing", "1.0+local") == (library["type"], library["name"], library["version"])
    assert "pkg:pypi/some-thing@1.0%2Blocal" == library["purl"]
    assert [{"expression": "MIT"}] == library["licenses"]
    assert {"name": "rollbook:files", "value": "3"} in library["properties"]
    assert ("file", "/app/service.py") == (file["type"], file["name"])
    assert [{"alg": "SHA-256", "content": hashlib.sha256(b"print('well')").hexdigest()}] == file["hashes"]


def test_the_same_image_has_the_same_inventory(built: tuple[Image, Path]) -> None:
    """No time and no chance is in it."""
    image, layout = built

    assert files_of(built)[0] == bill_of_materials(layout, image)


def test_the_provenance_names_image_sources_and_inventory(built: tuple[Image, Path]) -> None:
    """Subject is the image's digest; what it was built from and what was made beside it have theirs."""
    image, _ = built
    inventory, provenance = files_of(built)
    envelope, wrong = read_envelope(provenance)
    assert envelope is not None
    statement = json.loads(envelope.payload)
    predicate = statement["predicate"]
    sources = {one["name"]: one for one in predicate["buildDefinition"]["resolvedDependencies"]}

    assert "" == wrong
    assert [
        {"name": "registry/some", "digest": {"sha256": image.digest.removeprefix("sha256:")}}
    ] == statement["subject"]
    assert "https://slsa.dev/provenance/v1" == statement["predicateType"]
    assert {"context/service.py", "Dockerfile", "Some_Thing"} <= set(sources)
    assert "source" not in sources  # the folder is in no repository
    assert [{"name": SBOM, "digest": {"sha256": hashlib.sha256(inventory).hexdigest()}}] == predicate[
        "runDetails"
    ]["byproducts"]


def test_both_belong_to_the_image(built: tuple[Image, Path]) -> None:
    """Read together they say how much is in it, and nothing is wrong with them."""
    image, _ = built
    found = described(image.digest.removeprefix("sha256:"), *files_of(built))

    assert (2, 1, "", False) == (found.components, found.packages, found.commit, found.changed)
    assert [] == list(found.problems())


def kept(root: Path, built: tuple[Image, Path]) -> Path:
    """The folder of the image in a run's folder."""
    image, _ = built
    folder = root / ROOM / image.digest.removeprefix("sha256:")
    folder.mkdir(parents=True)
    for name, content in zip((SBOM, PROVENANCE), files_of(built), strict=True):
        (folder / name).write_bytes(content)
    return folder


def edit(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change the JSON of a file."""

    def spoil(folder: Path) -> None:
        (folder / name).write_text(json.dumps(change(json.loads((folder / name).read_text()))))

    return spoil


SPOILED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "inventory": (edit(SBOM, lambda whole: {**whole, "version": 2}), "not the inventory that the provenance"),
    "no json": (lambda folder: (folder / SBOM).write_text("{"), "cannot be read"),
    "another form": (edit(SBOM, lambda _whole: []), "cannot be read"),
    "envelope": (edit(PROVENANCE, lambda whole: {**whole, "payload": "e30="}), "cannot be read"),
    "spelling": (edit(PROVENANCE, lambda whole: whole), "not spelled"),
    "lost": (lambda folder: (folder / PROVENANCE).unlink(), "has not both"),
    "moved": (lambda folder: folder.rename(folder.with_name("0" * 64)), "about another image"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_does_not_belong_together_is_found(tmp_path: Path, built: tuple[Image, Path], name: str) -> None:
    """A file that was changed, lost or put beside another image is a problem with a sentence."""
    spoil, words = SPOILED[name]
    folder = kept(tmp_path / "run", built)
    assert [] == list(image_problems(tmp_path / "run"))
    spoil(folder)

    assert any(words in sentence for _, sentence in image_problems(tmp_path / "run"))


def test_a_run_without_images_has_no_problem(tmp_path: Path) -> None:
    """Images that were built elsewhere leave nothing here."""
    assert [] == list(image_problems(tmp_path))


def test_an_inventory_of_an_image_that_is_not_there(built: tuple[Image, Path]) -> None:
    """The layout has to have it."""
    image, layout = built
    with pytest.raises(NotFoundError, match="no image"):
        bill_of_materials(layout, replace(image, digest=f"sha256:{'0' * 64}"))


def test_records_name_only_what_is_left(tmp_path: Path) -> None:
    """Scripts and byte code are not in an image, so a package's RECORD does not name them; in one order."""
    info = tmp_path / "some-1.dist-info"
    info.mkdir()
    (tmp_path / "some.py").write_text("")
    (info / "INSTALLER").write_text("pip")
    record = info / "RECORD"
    rows = [
        "some.py,sha256=a,0",
        f"{info.name}/INSTALLER,,",
        f"{info.name}/RECORD,,",
        "../../bin/some,sha256=b,1",
    ]
    record.write_text("\n".join(rows))
    _tidy(tmp_path)

    assert "some-1.dist-info/RECORD,,\nsome.py,sha256=a,0\n" == record.read_text()
