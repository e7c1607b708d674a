"""Small build contexts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rollbook.domain.release import Image
from rollbook.images.build import OciImageBuilder

PLAIN = (
    'FROM python:3.14-slim\nARG VERSION\nENV V=$VERSION\nWORKDIR /srv\nCOPY . .\nEXPOSE 80\nCMD ["python"]\n'
)

Build = Callable[..., Image]


@pytest.fixture
def context(tmp_path: Path) -> Callable[[str, Mapping[str, str]], Path]:
    """Writes a build context: `(folder's name, files by path)`; its Dockerfile is PLAIN unless given."""

    def write(name: str, files: Mapping[str, str]) -> Path:
        folder = tmp_path / name
        for path, text in {
            "Dockerfile": PLAIN,
            ".dockerignore": "Dockerfile\n.dockerignore\n",
            **files,
        }.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return write


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """Where `build` puts images."""
    return tmp_path / "layout"


@pytest.fixture
def build(tmp_path: Path, layout: Path) -> Build:
    """Builds a context: `(folder, version="1.0", progress=...)`."""
    builder = OciImageBuilder(layout, tmp_path / "cache")

    def run(
        folder: Path, *, version: str = "1.0", progress: Callable[[str], None] = lambda _line: None
    ) -> Image:
        image, found = builder.build(
            context=folder,
            dockerfile=folder / "Dockerfile",
            repository="demo",
            version=version,
            progress=progress,
        )
        assert layout == found
        return image

    return run
