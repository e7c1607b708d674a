"""The project's own services are built and linted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rollbook.images.build import OciImageBuilder
from rollbook.images.store import unpack

ROOT = Path(__file__).parents[2]
ORDERS = ROOT / "tests/e2e/orders/source"


def test_a_service_on_the_standard_library_alone_is_built(tmp_path: Path) -> None:
    """No package index is asked when a Dockerfile installs nothing; the command is the image's CMD."""
    image, layout = OciImageBuilder(tmp_path / "layout", tmp_path / "cache").build(
        context=ORDERS, dockerfile=ORDERS / "Dockerfile", repository="shop/orders", version="2.3"
    )
    unpacked = unpack(layout, image.digest, tmp_path / "run")
    assert ((), ("python", "-B", "-m", "orders"), {"RELEASE": "2.3"}, "/srv", (9000,)) == (
        unpacked.entrypoint,
        unpacked.cmd,
        unpacked.env,
        unpacked.workdir,
        unpacked.exposed_ports,
    )
    assert (unpacked.rootfs / "srv/orders/__main__.py").is_file()
    assert not (tmp_path / "cache" / "pip").exists()


@pytest.mark.parametrize("path", [ROOT / "app/Dockerfile", ORDERS / "Dockerfile"], ids=["hello", "orders"])
def test_hadolint_finds_nothing(path: Path) -> None:
    """The Dockerfiles are good ones for a real builder too."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, path], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stdout)
