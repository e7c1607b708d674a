from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from uuid import uuid4

from rollbook.sandbox.agent.environment import (
    ConfigError,
    ObjectReader,
    Placement,
    field_value,
    resource_value,
)
from rollbook.sandbox.agent.podspec import (
    ContainerSpec,
    DownwardFile,
    FieldRef,
    FileSource,
    ObjectFiles,
    PodSpec,
    TokenFile,
    Volume,
)

_DATA = "..data"
_SECRET_BITS = 0o700
"""Secrets and tokens are for the owner only: the folder lies on the host, not in a pod's own file system."""


class TokenSource(Protocol):
    """Issues tokens of service accounts."""

    async def token(self, pod: PodSpec, audience: str, expiration_s: int) -> str:
        """A token bound to the pod."""


@dataclass(frozen=True)
class _File:
    content: bytes
    mode: int


async def write_volume(
    volume: Volume, folder: Path, pod: PodSpec, place: Placement, objects: ObjectReader, tokens: TokenSource
) -> None:
    """Make the volume's folder and write its files; what was there before is replaced in one step.

    ConfigError when an object or a key that is not optional is missing.
    """
    if volume.empty_dir:
        folder.mkdir(mode=0o777, parents=True, exist_ok=True)
        return
    files: dict[str, _File] = {}
    for source in volume.sources:
        files.update(await _files(source, volume.mode, pod, place, objects, tokens))
    _write(folder, files)


async def _files(
    source: FileSource,
    default_mode: int,
    pod: PodSpec,
    place: Placement,
    objects: ObjectReader,
    tokens: TokenSource,
) -> Mapping[str, _File]:
    match source:
        case ObjectFiles():
            return await _object_files(source, default_mode, pod, objects)
        case DownwardFile(path, FieldRef(field), mode):
            text = field_value(pod, place, field)
            return {path: _File(text.encode(), default_mode if mode is None else mode)}
        case DownwardFile(path, ref, mode) if not isinstance(ref, FieldRef):
            return {
                path: _File(resource_value(pod, ref, "").encode(), default_mode if mode is None else mode)
            }
        case TokenFile(path, audience, expiration):
            token = await tokens.token(pod, audience, expiration)
            return {path: _File(token.encode(), 0o600)}
    raise ConfigError(f"unknown kind of volume source: {type(source).__name__}")


async def _object_files(
    source: ObjectFiles, default_mode: int, pod: PodSpec, objects: ObjectReader
) -> Mapping[str, _File]:
    content = await objects.data(source.kind, pod.namespace, source.name)
    label = f"{source.kind.removesuffix('s')} {source.name!r}"
    if content is None:
        if source.optional:
            return {}
        raise ConfigError(f"{label} not found")
    bits = _SECRET_BITS if source.kind == "secrets" else 0o777
    if not source.items:
        return {key: _File(value, default_mode & bits) for key, value in content.items()}
    files = {}
    for key, path, mode in source.items:
        if key not in content:
            if source.optional:
                continue
            raise ConfigError(f"{label} has no key {key!r}")
        files[path] = _File(content[key], (default_mode if mode is None else mode) & bits)
    return files


def _write(folder: Path, files: Mapping[str, _File]) -> None:
    """Files lie in a hidden folder that `..data` points to, so that readers see all old or all new ones."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = folder / f"..{uuid4().hex[:12]}"
    fresh.mkdir(mode=0o700)
    for path, file in files.items():
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts:
            raise ConfigError(f"the path {path!r} of a volume leaves its folder")
        target = fresh / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.content)
        target.chmod(file.mode)
    current = folder / _DATA
    old = folder / current.readlink() if current.is_symlink() else None
    link = folder / f"{_DATA}.new"
    link.symlink_to(fresh.name)
    link.replace(current)
    wanted = {PurePosixPath(path).parts[0] for path in files}
    present = {entry.name for entry in folder.iterdir() if not entry.name.startswith("..")}
    for name in wanted - present:
        (folder / name).symlink_to(f"{_DATA}/{name}")
    for name in present - wanted:
        (folder / name).unlink()
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def mount_paths(container: ContainerSpec, volumes: Path) -> dict[str, Path]:
    """Host path by mount path. ConfigError for a `subPath` that leaves its volume."""
    paths = {}
    for mount in container.mounts:
        relative = PurePosixPath(mount.sub_path)
        if relative.is_absolute() or ".." in relative.parts:
            raise ConfigError(f"the subPath {mount.sub_path!r} leaves its volume")
        host = volumes / mount.volume / relative
        if not host.exists():
            host.mkdir(parents=True)
        paths[mount.path] = host
    return paths


def token_lifetimes(pod: PodSpec) -> list[int]:
    """Seconds that each token of the pod's volumes lives."""
    return [lifetime for volume in pod.volumes for lifetime in volume_lifetimes(volume)]


def volume_lifetimes(volume: Volume) -> list[int]:
    """Seconds that each token of the volume lives."""
    return [source.expiration_s for source in volume.sources if isinstance(source, TokenFile)]
