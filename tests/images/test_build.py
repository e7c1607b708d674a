"""Images are made from a Dockerfile's folder, the same ones wherever that is."""

from __future__ import annotations

import io
import json
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rollbook.domain.release import Image
from rollbook.errors import BadInputError
from rollbook.images.build import OciImageBuilder
from rollbook.images.layout import blobs, index, manifest, read_blob


def _config(layout: Path, image: Image) -> dict:
    return json.loads(read_blob(layout, blobs(layout, image.digest)[0].digest))


def _members(layout: Path, image: Image) -> dict[str, tarfile.TarInfo]:
    found = {}
    for blob in blobs(layout, image.digest)[1:]:
        with tarfile.open(fileobj=io.BytesIO(read_blob(layout, blob.digest))) as archive:
            found |= {member.name: member for member in archive}
    return found


def test_same_sources_give_the_same_digest(context, build) -> None:
    """No folder, no time, no byte code, no umask and no order of creation is in an image."""
    one = context("one", {"a/x.py": "print(1)\n", "b.txt": "b\n"})
    two = context("two", {"b.txt": "b\n", "a/x.py": "print(1)\n", "a/__pycache__/x.pyc": "junk"})
    os.utime(two / "b.txt", (1, 1))
    (two / "b.txt").chmod(0o600)
    assert build(one) == build(two)


@pytest.mark.parametrize("change", [{"b.txt": "c"}, {"c.txt": "b"}])
def test_other_sources_give_another_digest(context, build, change) -> None:
    """A changed or added file makes another image."""
    assert (
        build(context("one", {"b.txt": "b"})).digest != build(context("two", {"b.txt": "b", **change})).digest
    )


def test_an_executable_stays_executable(context, build, layout) -> None:
    """Of a file's mode only the right to execute it is kept."""
    folder = context("one", {"run.sh": "#!/bin/sh\n", "text": ""})
    (folder / "run.sh").chmod(0o700)
    members = _members(layout, build(folder))
    assert (0o755, 0o644) == (members["srv/run.sh"].mode, members["srv/text"].mode)
    assert {(0, 0, 0)} == {(member.uid, member.gid, member.mtime) for member in members.values()}


def test_the_version_makes_the_tag_the_environment_and_another_digest(context, build, layout) -> None:
    """The build argument VERSION reaches ENV; the tag tells version and digest."""
    folder = context("one", {})
    first, second = build(folder), build(folder, version="2.0")
    assert first.digest != second.digest
    assert f"2.0-{second.digest.removeprefix('sha256:')[:12]}" == second.tag
    assert ["V=2.0"] == _config(layout, second)["config"]["Env"]


def test_the_config_says_what_the_dockerfile_says(context, build, layout) -> None:
    """Every instruction that is understood has its place in the image's config."""
    dockerfile = (
        "FROM python:3.14\nLABEL a=b 'c d'=\"e f\"\nENV X=1\nENV Y=${X}2\nWORKDIR /one\nWORKDIR two\n"
        'EXPOSE 80 81/udp\nUSER 10:20\nENTRYPOINT ["a", "b"]\nCMD ["c"]\nSTOPSIGNAL SIGTERM\n'
        "HEALTHCHECK CMD true\n"
    )
    settings = _config(layout, build(context("one", {"Dockerfile": dockerfile})))["config"]
    assert {
        "Labels": {"a": "b", "c d": "e f"},
        "Env": ["X=1", "Y=12"],
        "WorkingDir": "/one/two",
        "ExposedPorts": {"80/tcp": {}, "81/udp": {}},
        "User": "10:20",
        "Entrypoint": ["a", "b"],
        "Cmd": ["c"],
    } == settings


def test_the_manifest_discloses_the_missing_base(context, build, layout) -> None:
    """Whoever looks at the image learns that the host's Python stands in for its base."""
    annotations = json.loads(manifest(layout, build(context("one", {})).digest))["annotations"]
    assert annotations["dev.rollbook.base"].startswith("python:3.14-slim; not in this image")


def test_the_history_matches_the_layers(context, build, layout) -> None:
    """History entries that are not empty are as many as layers, and diff ids are the layers' digests."""
    config = _config(layout, image := build(context("one", {"a": "1"})))
    layers = [blob.digest for blob in blobs(layout, image.digest)[1:]]
    assert layers == config["rootfs"]["diff_ids"]
    assert len(layers) == sum(not entry.get("empty_layer") for entry in config["history"])


def test_a_stage_is_copied_from_and_an_unused_one_is_not_built(context, build, layout) -> None:
    """Only what the last stage needs is built, so a stage that needs Docker may stand by unused."""
    dockerfile = (
        "FROM node:22 AS unused\nRUN npm ci\nFROM python AS base\nCOPY a.txt /data/\n"
        'FROM scratch\nCOPY --from=base --chown=7:8 --chmod=0600 /data /x\nCMD ["/x"]\n'
    )
    member = _members(layout, build(context("one", {"Dockerfile": dockerfile, "a.txt": "a"})))["x/a.txt"]
    assert (7, 8, 0o600) == (member.uid, member.gid, member.mode)


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        ("COPY a.txt /x", {"x"}),
        ("COPY a.txt /x/", {"x/a.txt"}),
        ("COPY a.txt d/b.txt /x/", {"x/a.txt", "x/b.txt"}),
        ("COPY d /x", {"x/b.txt", "x/e/c.txt"}),
        ("COPY d/ .", {"w/b.txt", "w/e/c.txt"}),
        ("COPY *.txt /x/", {"x/a.txt"}),
        ("COPY d/*.txt d/e /x/", {"x/b.txt", "x/c.txt"}),
        ('COPY ["a.txt", "/x y/"]', {"x y/a.txt"}),
    ],
)
def test_copy_puts_files_where_docker_would(context, build, layout, copy: str, expected: set[str]) -> None:
    """Files, folders, patterns and lists land where Docker puts them."""
    files = {"a.txt": "a", "d/b.txt": "b", "d/e/c.txt": "c"}
    folder = context("one", {"Dockerfile": f'FROM python\nWORKDIR /w\n{copy}\nCMD ["x"]\n', **files})
    members = _members(layout, build(folder))
    assert expected == {name for name, member in members.items() if member.isfile()}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("FROM ubuntu:24.04", "cannot be used without Docker"),
        ("FROM python\nRUN apt-get update", "line 2: RUN apt-get update: only `pip install -r FILE`"),
        ("FROM python\nRUN pip install -r none.txt", "/none.txt is not in the image"),
        ("FROM python\nADD a.txt /", "line 2: ADD a.txt /"),
        ("FROM python\nVOLUME /data", "line 2: VOLUME"),
        ("FROM python\nONBUILD COPY a b", "line 2: ONBUILD"),
        ("FROM python\nCMD python -m x", "line 2: CMD is in shell form"),
        ("FROM python\nENTRYPOINT exec x", "line 2: ENTRYPOINT is in shell form"),
        ("FROM python\nCOPY gone /x", "gone is not in the build context"),
        ("FROM python\nCOPY ../up /x", "outside the build context"),
        ("FROM python\nCOPY --from=other a /x", "names no earlier stage"),
        ("FROM python\nCOPY --chown=app a.txt /x", "--chown=app is a name"),
        ("FROM python\nCOPY --chmod=u+x a.txt /x", "is not an octal mode"),
        ("FROM python\nCOPY --parents a.txt /x", "--parents is not understood"),
        ("FROM python\nCOPY a.txt", "needs a source and a destination"),
        ("FROM python\nCOPY a.txt /x/y\nCOPY a.txt /x", "/x is a folder in the image already"),
        ("FROM python\nSTOPSIGNAL SIGKILL", "pods are stopped with SIGTERM"),
        ("FROM python\nEXPOSE http", "http is not a port"),
        ("FROM python\nUSER a b", "it takes one value"),
        ("FROM python\nENV A=1 B", "ENV is not understood"),
        ("FROM python\nCOPY a.txt /", "says neither ENTRYPOINT nor CMD"),
    ],
)
def test_what_cannot_be_built_is_refused(context, build, layout, line: str, words: str) -> None:
    """A Dockerfile that needs Docker is refused in one sentence, and no image is left behind."""
    with pytest.raises(BadInputError) as refused:
        build(context("one", {"Dockerfile": f"{line}\n", "a.txt": "a"}))
    assert words in str(refused.value)
    assert [] == index(layout)


def test_a_link_in_the_context_is_refused(context, build) -> None:
    """A link may lead out of the context, so none is followed and none is copied."""
    folder = context("one", {})
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(BadInputError, match="cannot be copied"):
        build(folder)


@pytest.mark.parametrize("version", ["", "a b", "-1", "x" * 65, "1/2"])
def test_a_version_that_is_no_tag_is_refused(context, build, version: str) -> None:
    """A version becomes part of a tag, so it has to be able to."""
    with pytest.raises(BadInputError, match="cannot be the version"):
        build(context("one", {}), version=version)


def test_progress_tells_what_is_left_out(context, build) -> None:
    """Nothing is left out in silence."""
    told: list[str] = []
    dockerfile = 'FROM python:3\n# rollbook: skip\nRUN useradd x\nHEALTHCHECK NONE\nCMD ["x"]\n'
    image = build(context("one", {"Dockerfile": dockerfile}), progress=told.append)
    assert [
        "FROM python:3: the host's Python stands in for it",
        "line 3: RUN left out, as its marker asks",
        "line 4: HEALTHCHECK has no effect, Kubernetes has probes of its own",
        f"built {image.tag} (0.0 MB)",
    ] == told


def test_images_built_at_the_same_time_are_all_in_the_index(context, layout, tmp_path) -> None:
    """Builders that share a layout do not overwrite one another's entries."""
    folder = context("one", {"a": "1"})

    def build_one(number: int) -> str:
        image, _ = OciImageBuilder(layout, tmp_path / "cache").build(
            context=folder, dockerfile=folder / "Dockerfile", repository="demo", version=f"1.{number}"
        )
        return image.digest

    with ThreadPoolExecutor(8) as pool:
        built = set(pool.map(build_one, range(16)))
    assert built == {entry["digest"] for entry in index(layout)}
    assert not list(layout.rglob(".new-*"))


def test_building_twice_leaves_one_entry(context, build, layout) -> None:
    """The index does not grow when nothing changed."""
    folder = context("one", {})
    build(folder)
    build(folder)
    assert 1 == len(index(layout))
