"""The suite's sandbox, and its marker: without `-m`, only a representative of each death runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.chaos.scene import Scene

from rollbook.sandbox.home import SandboxHome

MARKER = "chaos"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}: the whole matrix of deaths and phases: make chaos")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the whole matrix out unless `-m` says what to run."""
    if config.getoption("markexpr"):
        return
    left_out = [item for item in items if item.get_closest_marker(MARKER)]
    items[:] = [item for item in items if not item.get_closest_marker(MARKER)]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def chaos_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A home of the suite's own: other tests must not meet what it wounds."""
    scene = Scene(SandboxHome(tmp_path_factory.mktemp("chaos")))
    yield scene
    scene.down()


@pytest.fixture
def scene(chaos_home: Scene) -> Scene:
    """A sandbox that is up."""
    chaos_home.up()
    return chaos_home
