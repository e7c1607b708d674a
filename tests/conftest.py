"""What every test may use: one real sandbox for the whole session, in a home of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollbook.sandbox import api
from rollbook.sandbox.progress import PlainProgress

PROJECT = Path(__file__).resolve().parents[1]


IN_THE_SANDBOX_S = 1200
"""Time for a test in the sandbox; the first one waits until it is built, too."""


def pytest_configure() -> None:
    """Hear Ctrl-C, and let each program that a test starts hear it.

    A shell without job control starts what it puts into its background deaf to SIGINT, and children inherit
    that: an interrupt could not be tested.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in the sandbox, give them more time than others, unless they say how much they may take,
    and in CI a second try: they meet real processes in real time. Each such try is told at the end."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if not names & {"sandbox", "chaos_home"} and not item.nodeid.startswith("tests/e2e/"):
            continue
        item.add_marker(pytest.mark.sandbox)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(IN_THE_SANDBOX_S))
        if os.environ.get("CI"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def project() -> Path:
    """The checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def sandbox_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of this session's own, named by the environment, so that commands find it too."""
    home = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("ROLLBOOK_HOME", str(home))
    yield home
    patch.undo()


@pytest.fixture(scope="session")
def sandbox(sandbox_home: Path, pytestconfig: pytest.Config) -> Iterator[api.Sandbox]:
    """A sandbox that is up; built first where this machine has not yet. Taken down at the end."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        up = api.up(monitoring=PROJECT / "monitoring", progress=PlainProgress(sys.stderr))
    yield up
    api.down()
