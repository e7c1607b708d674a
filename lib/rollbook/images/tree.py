"""The files of an image while it is built, how COPY fills them, and a layer as a tar that never varies."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

from rollbook.errors import BadInputError
from rollbook.images.ignore import Ignore


@dataclass(frozen=True)
class File:
    """A regular file of an image: where its bytes are on this machine, its mode and its owner."""

    source: Path
    mode: int
    uid: int = 0
    gid: int = 0


Tree = Mapping[str, File]
"""Files by absolute path in the image. Folders are implied."""


@dataclass(frozen=True)
class Copy:
    """A COPY: sources (relative to their origin), absolute destination, and what changes on the way."""

    sources: tuple[str, ...]
    destination: str
    into_folder: bool
    """Whether the destination is a folder even for a single file (it ended in `/`)."""
    mode: int | None = None
    uid: int = 0
    gid: int = 0


def read_context(folder: Path) -> dict[str, File]:
    """All files of a build context that .dockerignore leaves, by relative path. BadInputError for links."""
    ignore = Ignore.read(folder)
    found: dict[str, File] = {}
    for path in _walk(folder, ignore, folder):
        found[path.relative_to(folder).as_posix()] = host_file(path)
    return found


def host_file(path: Path) -> File:
    """A file of this machine, its mode brought to 0644 or 0755 so that nobody's umask is in an image."""
    if path.is_symlink() or not path.is_file():
        raise BadInputError(
            f"{path} cannot be copied into an image",
            why="it is a link or a special file",
            next_step="Replace it by a regular file, or name it in .dockerignore.",
        )
    return File(path, 0o755 if path.stat().st_mode & 0o100 else 0o644)


def copied(copy: Copy, origin: Tree) -> dict[str, File]:
    """What a COPY puts into the image, by absolute path. LookupError names a source that matches nothing."""
    result: dict[str, File] = {}
    several = len(copy.sources) > 1
    for source in copy.sources:
        matches = dict(_matching(source, origin))
        if not matches and source != ".":
            raise LookupError(source)
        for path, (below, file) in matches.items():
            if below:
                target = posixpath.join(copy.destination, below)
            elif copy.into_folder or several or len(matches) > 1:
                target = posixpath.join(copy.destination, posixpath.basename(path))
            else:
                target = copy.destination
            mode = file.mode if copy.mode is None else copy.mode
            result[target] = replace(file, mode=mode, uid=copy.uid, gid=copy.gid)
    return result


def write_layer(files: Tree, target: IO[bytes]) -> None:
    """Write files and the folders above them as a tar: sorted, time 0, nothing of this machine in it."""
    folders = sorted({str(parent) for path in files for parent in PurePosixPath(path).parents} - {"/"})
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder in folders:
            info = tarfile.TarInfo(folder.lstrip("/"))
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for path in sorted(files):
            content = files[path].source.read_bytes()
            info = tarfile.TarInfo(path.lstrip("/"))
            info.mode, info.size = files[path].mode, len(content)
            info.uid, info.gid = files[path].uid, files[path].gid
            archive.addfile(info, io.BytesIO(content))


def _walk(folder: Path, ignore: Ignore, root: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            # Not pruned when excluded: a later `!pattern` may take something below it back in.
            yield from _walk(path, ignore, root)
        elif not ignore.excludes(path.relative_to(root).as_posix()):
            yield path


def _matching(source: str, origin: Tree) -> Iterator[tuple[str, tuple[str, File]]]:
    """Files that a source names: `(path, (path below the named folder, else empty, file))`."""
    wanted = PurePosixPath(source.strip("/") or ".")
    for path, file in origin.items():
        parts = PurePosixPath(path.strip("/"))
        if str(wanted) == ".":
            yield path, (str(parts), file)
            continue
        depth = len(wanted.parts)
        if len(parts.parts) < depth:
            continue
        head = PurePosixPath(*parts.parts[:depth])
        if all(PurePosixPath(name).match(glob) for name, glob in zip(head.parts, wanted.parts, strict=True)):
            yield path, ("/".join(parts.parts[depth:]), file)
