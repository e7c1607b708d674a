"""What is in an image, as a CycloneDX bill of materials: read from its layers, and from nothing else.

The form is that of https://cyclonedx.org/docs/1.6/json/. Python packages are told by their `dist-info`
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/), names in package URLs
as https://github.com/package-url/purl-spec has it for `pypi` and `oci`. No time and no random number is in
it: the same image gives the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import posixpath
import re
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rollbook.domain.release import Image
from rollbook.images.layout import manifest, read_blob

SPEC_VERSION = "1.6"
_NAMESPACE = uuid.UUID("0b3c7b52-7f0a-5f9e-9d0c-6f3c1a0a9c11")
"""Of serial numbers: each is made of this and of the image's digest (RFC 9562, version 5)."""
_DIST_INFO = ".dist-info/METADATA"


@dataclass(frozen=True)
class Package:
    """An installed Python package: `folder` is that of its modules, `owned` are all of its files by path."""

    name: str
    version: str
    license: str
    folder: str
    record_sha256: str
    owned: frozenset[str]

    @property
    def purl(self) -> str:
        """Its package URL."""
        name = re.sub(r"[-_.]+", "-", self.name).lower()
        return f"pkg:pypi/{name}@{quote(self.version, safe='')}"


def bill_of_materials(layout: Path, image: Image) -> bytes:
    """The bill of materials of an image in a layout, as JSON.

    NotFoundError when the layout has no such image, BadInputError when a blob was changed.
    """
    document = json.loads(manifest(layout, image.digest))
    files: dict[str, bytes] = {}
    for layer in document["layers"]:
        files |= _files(read_blob(layout, layer["digest"]))
    packages = sorted(_packages(files), key=lambda one: one.purl)
    owned = frozenset().union(*(one.owned for one in packages))
    components = [_library(one) for one in packages]
    components += [_file(path, files[path]) for path in sorted(files.keys() - owned)]
    whole = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, image.digest)}",
        "version": 1,
        "metadata": {"component": _container(image, document)},
        "components": components,
    }
    return (json.dumps(whole, indent=1, sort_keys=True) + "\n").encode()


def _files(layer: bytes) -> dict[str, bytes]:
    """Regular files of a layer by their absolute path."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                found[f"/{member.name.lstrip('/')}"] = content.read()
    return found


def _packages(files: Mapping[str, bytes]) -> Iterator[Package]:
    for path, content in files.items():
        if not path.endswith(_DIST_INFO):
            continue
        info = posixpath.dirname(path)
        folder = posixpath.dirname(info)
        told = HeaderParser().parsestr(content.decode(errors="replace"))
        record = files.get(f"{info}/RECORD", b"")
        rows = csv.reader(io.StringIO(record.decode(errors="replace")))
        listed = {posixpath.normpath(posixpath.join(folder, row[0])) for row in rows if row}
        own = {each for each in files if each.startswith(f"{info}/")} | (listed & files.keys())
        yield Package(
            name=str(told["Name"]),
            version=str(told["Version"]),
            license=str(told["License-Expression"] or ""),
            folder=folder,
            record_sha256=_sha256(record),
            owned=frozenset(own),
        )


def _library(package: Package) -> dict[str, Any]:
    found = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "evidence": {"occurrences": [{"location": package.folder}]},
        # What was installed is not the file that was downloaded, so that it has no hash of that.
        "properties": [
            {"name": "rollbook:files", "value": str(len(package.owned))},
            {"name": "rollbook:record:sha256", "value": package.record_sha256},
        ],
    }
    return {**found, "licenses": [{"expression": package.license}]} if package.license else found


def _file(path: str, content: bytes) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": _sha256(content)}]
    return {"type": "file", "bom-ref": path, "name": path, "hashes": hashes}


def _container(image: Image, document: Mapping[str, Any]) -> dict[str, Any]:
    name = image.repository.rpartition("/")[2]
    digest = quote(image.digest, safe="")
    annotations: Mapping[str, str] = document.get("annotations") or {}
    layers = ", ".join(layer["digest"] for layer in document["layers"])
    told = {**annotations, "rollbook:layers": layers}
    return {
        "type": "container",
        "bom-ref": image.reference,
        "name": image.repository,
        "version": image.tag,
        "purl": f"pkg:oci/{name}@{digest}?repository_url={quote(image.repository, safe='/')}",
        "hashes": [{"alg": "SHA-256", "content": image.digest.removeprefix("sha256:")}],
        "properties": [{"name": key, "value": value} for key, value in sorted(told.items())],
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
