"""Images are verified before they run, and unpacked once."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from rollbook.errors import BadInputError, NotFoundError
from rollbook.images import layout as oci
from rollbook.images.store import blobs, manifest, unpack


def test_an_unpacked_image_holds_what_was_copied(context, build, layout, tmp_path) -> None:
    """Root folder and settings are those of the Dockerfile."""
    image = build(context("one", {"pkg/m.py": "x = 1\n"}))
    unpacked = unpack(layout, image.digest, tmp_path / "run")
    assert "x = 1\n" == (unpacked.rootfs / "srv/pkg/m.py").read_text()
    assert ((), ("python",), {"V": "1.0"}, "/srv", "", (80,), image.digest) == (
        unpacked.entrypoint,
        unpacked.cmd,
        unpacked.env,
        unpacked.workdir,
        unpacked.user,
        unpacked.exposed_ports,
        unpacked.digest,
    )


def test_modules_are_compiled_when_unpacked(context, build, layout, tmp_path) -> None:
    """Pods find byte code and need not write any; a module that is no Python is left alone."""
    image = build(context("one", {"m.py": "x = 1\n", "template.py": "{% not python %}"}))
    rootfs = unpack(layout, image.digest, tmp_path / "run").rootfs
    assert ["m"] == [path.name.split(".")[0] for path in rootfs.rglob("*.pyc")]


def test_an_image_is_unpacked_once_for_all(context, build, layout, tmp_path) -> None:
    """Those who ask at the same time share one folder, and no half-made one is left."""
    image = build(context("one", {"a": "1"}))
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: unpack(layout, image.digest, tmp_path / "run").rootfs, range(16)))
    assert 1 == len(found)
    assert not list((tmp_path / "run").rglob(".new-*"))


def test_a_later_layer_wins(context, build, layout, tmp_path) -> None:
    """Layers are laid over one another in their order."""
    dockerfile = 'FROM python\nCOPY a /x\nCOPY b /x\nCMD ["x"]\n'
    image = build(context("one", {"Dockerfile": dockerfile, "a": "old", "b": "new"}))
    assert "new" == (unpack(layout, image.digest, tmp_path / "run").rootfs / "x").read_text()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_changed_blob_is_refused(context, build, layout, tmp_path, which: int) -> None:
    """Manifest, config and layer are each verified before anything is unpacked."""
    image = build(context("one", {"a": "1"}))
    parts = blobs(layout, image.digest)
    digest = [image.digest, *(part.digest for part in parts)][which]
    path = oci.blob_path(layout, digest)
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1) + b" ")
    with pytest.raises(BadInputError, match="was changed"):
        unpack(layout, image.digest, tmp_path / "run")
    assert not list((tmp_path / "run").glob("rootfs/*[0-9a-f]"))


def test_a_missing_image_is_not_found(context, build, layout, tmp_path) -> None:
    """An image that was never built here is told of by its digest; a tag is no digest."""
    build(context("one", {}))
    with pytest.raises(NotFoundError, match="there is no image"):
        unpack(layout, f"sha256:{'0' * 64}", tmp_path / "run")
    with pytest.raises(BadInputError, match="is not an image digest"):
        unpack(layout, "1.0", tmp_path / "run")


def test_a_missing_layer_is_not_found(context, build, layout, tmp_path) -> None:
    """A layout that lost a blob says which."""
    image = build(context("one", {"a": "1"}))
    blobs(layout, image.digest)[1].path.unlink()
    with pytest.raises(NotFoundError, match="is missing"):
        unpack(layout, image.digest, tmp_path / "run")


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "link"])
def test_a_layer_cannot_leave_its_folder(layout, tmp_path, name: str) -> None:
    """A layer from elsewhere cannot write outside the image's root folder."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "../../outside"
        archive.addfile(member)
    layer = oci.add_blob(layout, oci.LAYER_TYPE, lambda file: partial(file.write, content.getvalue())())
    config = oci.add_json(layout, oci.CONFIG_TYPE, {"config": {"Cmd": ["x"]}})
    image = oci.add_json(
        layout, oci.MANIFEST_TYPE, {"config": config.descriptor(), "layers": [layer.descriptor()]}
    )
    oci.add_image(layout, image, reference="x:1", platform={})
    if name == "/etc/escape":
        # Absolute names are taken as below the root folder, as container runtimes do.
        assert (unpack(layout, image.digest, tmp_path / "run").rootfs / "etc/escape").is_file()
        return
    with pytest.raises(BadInputError, match="must not be unpacked"):
        unpack(layout, image.digest, tmp_path / "run")
    assert not (tmp_path / "escape").exists()


def test_a_registry_gets_the_manifest_byte_for_byte(context, build, layout: Path) -> None:
    """The manifest's bytes have the image's digest; its blobs are the config and the layers, with sizes."""
    image = build(context("one", {"a": "1"}))
    content = manifest(layout, image.digest)
    assert image.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    parts = blobs(layout, image.digest)
    assert [oci.CONFIG_TYPE, oci.LAYER_TYPE] == [part.media_type for part in parts]
    assert [part.size for part in parts] == [part.path.stat().st_size for part in parts]
    assert image.size_bytes == len(content) + sum(part.size for part in parts)
    assert {"imageLayoutVersion": "1.0.0"} == json.loads((layout / "oci-layout").read_text())
