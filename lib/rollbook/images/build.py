"""Builds an image: Dockerfile and context in, an entry in an OCI image layout out."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rollbook.domain.release import Image
from rollbook.errors import BadInputError
from rollbook.images import dockerfile as syntax
from rollbook.images import layout as oci
from rollbook.images.origin import Sources, describe
from rollbook.images.stages import Built, Stages
from rollbook.images.tree import read_context, write_layer

BASE_ANNOTATION = "dev.rollbook.base"
VERSION_ARGUMENT = "VERSION"

_EPOCH = "1970-01-01T00:00:00Z"
_VERSION = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class OciImageBuilder:
    """Satisfies `rollbook.ports.ImageBuilder` without Docker.

    The same sources, version, Python and platform give the same digest, wherever and whenever they are
    built: no time, no user and no folder of this machine is in the image.
    """

    def __init__(self, layout: Path, cache: Path) -> None:
        """`layout`: the OCI image layout that takes the images. `cache`: keeps installed packages."""
        self._layout = layout
        self._cache = cache

    def build(
        self,
        *,
        context: Path,
        dockerfile: Path,
        repository: str,
        version: str,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> tuple[Image, Path]:
        """Build the Dockerfile's last stage with the build argument VERSION; the image and the layout.

        BadInputError names the file and line of what cannot be built; BuildFailedError says why pip failed.
        """
        if not _VERSION.match(version):
            raise BadInputError(
                f"{version!r} cannot be the version of an image",
                why="it becomes part of a tag",
                next_step="Use letters, digits, `.`, `-` and `_`, at most 64 of them.",
            )
        if not context.is_dir():
            raise BadInputError(
                f"the build context {context} is not a folder",
                next_step="Check image.context in service.yaml.",
            )
        arguments = {VERSION_ARGUMENT: version}
        parsed = syntax.read(dockerfile, arguments)
        files = read_context(context)
        built = Stages(parsed, files, arguments, self._cache, progress).last()
        if not built.settings.entrypoint and not built.settings.cmd:
            raise BadInputError(
                f"{parsed.name} says neither ENTRYPOINT nor CMD",
                why="nobody would know what to run",
                next_step='Add one, such as ENTRYPOINT ["python", "-m", "service"].',
            )
        image = self._write(built, repository, version)
        describe(self._layout, image, Sources(context, files, dockerfile, arguments, _base(built)))
        progress(f"built {image.tag} ({(image.size_bytes or 0) / 1e6:.1f} MB)")
        return image, self._layout

    def _write(self, built: Built, repository: str, version: str) -> Image:
        layers = [
            oci.add_blob(self._layout, oci.LAYER_TYPE, partial(write_layer, step.layer))
            for step in built.steps
            if step.layer is not None
        ]
        config = oci.add_json(self._layout, oci.CONFIG_TYPE, _config(built, layers))
        manifest = oci.add_json(
            self._layout,
            oci.MANIFEST_TYPE,
            {
                "schemaVersion": 2,
                "mediaType": oci.MANIFEST_TYPE,
                "config": config.descriptor(),
                "layers": [layer.descriptor() for layer in layers],
                "annotations": {
                    "org.opencontainers.image.version": version,
                    BASE_ANNOTATION: _base(built),
                },
            },
        )
        tag = f"{version}-{manifest.digest.removeprefix('sha256:')[:12]}"
        oci.add_image(self._layout, manifest, reference=f"{repository}:{tag}", platform=_platform())
        size = manifest.size + config.size + sum(layer.size for layer in layers)
        return Image(repository=repository, tag=tag, digest=manifest.digest, size_bytes=size)


def _config(built: Built, layers: list[oci.Blob]) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "Env": [f"{key}={value}" for key, value in sorted(built.settings.environment.items())],
        "WorkingDir": built.settings.workdir,
    }
    optional: dict[str, Any] = {
        "Entrypoint": list(built.settings.entrypoint),
        "Cmd": list(built.settings.cmd),
        "User": built.settings.user,
        "ExposedPorts": {port: {} for port in built.settings.ports},
        "Labels": dict(built.settings.labels),
    }
    settings |= {key: value for key, value in optional.items() if value}
    return {
        **_platform(),
        "created": _EPOCH,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "history": [
            {"created": _EPOCH, "created_by": step.instruction}
            | ({} if step.layer is not None else {"empty_layer": True})
            for step in built.steps
        ],
    }


def _base(built: Built) -> str:
    if built.base == "scratch":
        return "scratch"
    return f"{built.base}; not in this image: the host's Python stands in for it"


def _platform() -> dict[str, str]:
    machine = platform.machine().lower()
    return {"architecture": _ARCHITECTURES.get(machine, machine), "os": "linux"}
