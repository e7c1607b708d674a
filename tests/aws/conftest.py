"""A MiniStack of the tests' own, and a proxy before it that puts faults in the way of calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.retries.standard import ExponentialBackoff
from tests.aws.faults import Faults, faults_before
from tests.aws.not_emulated import NotEmulated
from tests.aws.verbs import REGION, Scene
from tests.ministack import running

from rollbook.aws.clients import Clients
from rollbook.aws.cloud import AwsCloud

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a MiniStack that runs for these tests only."""
    with running(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture
def cloud(ministack: str) -> AwsCloud:
    """The adapter, in front of the emulator."""
    return AwsCloud.emulated(ministack)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between the SDK's attempts: they are not what is tested."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.0)


@pytest.fixture(scope="module")
def missing() -> NotEmulated:
    """What answers in the place of the emulator."""
    return NotEmulated()


@pytest.fixture(scope="module")
def faults(ministack: str, missing: NotEmulated) -> Iterator[Faults]:
    """The proxy."""
    with faults_before(ministack, missing) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def direct(ministack: str) -> Clients:
    """The same account, past the proxy."""
    return Clients.emulating(ministack, region=REGION)


@pytest.fixture
def scenes(faults: Faults, direct: Clients, missing: NotEmulated, tmp_path: Path) -> Callable[[], Scene]:
    """Makes scenes, each with a name of its own, so that runs do not meet."""
    # Anew for each test: a client repeats less and less when much goes wrong.
    clients = Clients.emulating(faults.url, region=REGION)

    def make() -> Scene:
        number = next(NUMBERS)
        return Scene(clients, direct, tmp_path / str(number), f"faulty{number}", missing)

    faults.clear()
    return make
