"""What every test may use: one real sandbox for the whole session, in a home of its own.

`make test` runs the suite in two processes at once (pytest-xdist): all tests of that sandbox in one, in their
order, since they share it; all others in the other, with less of the machine, by file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollbook.sandbox import api
from rollbook.sandbox.progress import PlainProgress

PROJECT = Path(__file__).resolve().parents[1]


IN_THE_SANDBOX_S = 1200
"""Time for a test in the sandbox; the first one waits until it is built, too."""


LIVE = "live"
"""The group of all tests that look at the session's sandbox."""
GIVES_WAY = 10
"""Niceness of the others: what they compute must not keep a release waiting."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Build the sandbox before two processes wait for it, and where its progress is seen."""
    several = getattr(session.config.option, "numprocesses", None)
    if several and not session.config.option.collectonly and not _worker():
        api.prepare(PlainProgress(sys.stderr))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group tests by what they share. Those of the sandbox get more time, unless they say how much they may
    take, and a second try in CI: they meet real processes in real time. Each such try is told at the end."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if names & {"sandbox", "chaos_home"} or item.nodeid.startswith("tests/e2e/"):
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(IN_THE_SANDBOX_S))
            if os.environ.get("CI"):
                item.add_marker(pytest.mark.flaky(reruns=1))
            item.add_marker(pytest.mark.xdist_group(LIVE))
        else:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A process of several gives way from its first test without the sandbox."""
    group = item.get_closest_marker("xdist_group")
    if _worker() and group is not None and group.args != (LIVE,) and os.getpriority(os.PRIO_PROCESS, 0) == 0:
        os.nice(GIVES_WAY)


def _worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ


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
