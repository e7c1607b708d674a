"""Keys, tokens and secrets of a real sandbox are nowhere but in the files that are closed to others."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.e2e.conftest import Finished
from tests.e2e.test_secrets import spelled

from rollbook.sandbox.api import Sandbox

TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}")
"""A JSON Web Token, as those of ServiceAccounts are."""
HOLDERS = {"config", "pki", "data"}
"""Folders of the sandbox that have to hold keys and secrets."""

pytestmark = pytest.mark.e2e


def keys(sandbox: Sandbox) -> Iterator[str]:
    """Private keys of the sandbox, by the lines of their PEM, and as kubeconfigs have them."""
    for path in sandbox.home.pki.glob("*.key"):
        yield from (line for line in path.read_text().splitlines() if not line.startswith("-----"))
    for path in sandbox.home.config.glob("*.kubeconfig"):
        data = json.loads(path.read_text())["users"][0]["user"]["client-key-data"]
        # The first 40 characters are those of the PEM's head, which all keys share.
        yield data[60:120]
        yield from (line for line in base64.b64decode(data).decode().splitlines() if "-----" not in line)


@pytest.fixture(scope="module")
def needles(sandbox: Sandbox, release: Finished) -> frozenset[bytes]:
    """Every secret of the sandbox, in the spellings in which it may be written."""
    assert release.code == 0, release.err
    found = {*keys(sandbox), *spelled(release.secret)}
    assert len(found) > 20
    assert {True} == {len(each) >= 12 for each in found}
    return frozenset(each.encode() for each in found)


def found_in(content: bytes, needles: frozenset[bytes]) -> bool:
    return TOKEN.search(content) is not None or any(each in content for each in needles)


def test_a_search_finds_what_it_looks_for(sandbox: Sandbox, needles: frozenset[bytes]) -> None:
    """Kubeconfigs and keys are full of what must not be elsewhere."""
    holders = [*sandbox.home.config.glob("*.kubeconfig"), *sandbox.home.pki.glob("*.key")]

    assert len(holders) > 10
    assert {True} == {found_in(path.read_bytes(), needles) for path in holders}
    assert found_in(b"a " + b".".join([b"eyJ" + b"a" * 20, b"eyJ" + b"b" * 20, b"c" * 20]), needles)


def test_what_a_run_leaves_has_none(release: Finished, needles: frozenset[bytes]) -> None:
    """Journal, evidence, objects, logs, notebooks and report."""
    files = [path for path in release.folder.rglob("*") if path.is_file()]

    assert {".jsonl", ".json", ".log", ".ipynb", ".html"} <= {path.suffix for path in files}
    assert [] == [str(path) for path in files if found_in(path.read_bytes(), needles)]


def test_logs_and_state_of_the_sandbox_have_none(sandbox: Sandbox, needles: frozenset[bytes]) -> None:
    """The logs of all components and pods, the plan and the state."""
    root = sandbox.home.root
    files = [
        path
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] not in HOLDERS | {"images"}
    ]

    assert {"state.json", "kube-apiserver.log", "argo-rollouts.log"} <= {path.name for path in files}
    assert [] == [str(path) for path in files if found_in(path.read_bytes(), needles)]


def test_no_process_has_one_in_its_arguments(sandbox: Sandbox, needles: frozenset[bytes]) -> None:
    """Arguments of processes can be read by everybody on the machine."""
    told = {}
    for process in psutil.process_iter(["pid", "cmdline"]):
        arguments = "\0".join(process.info["cmdline"] or []).encode(errors="surrogateescape")
        told[process.info["pid"]] = found_in(arguments, needles)

    state = json.loads((sandbox.home.root / "state.json").read_text())
    assert {unit["pid"] for unit in state["units"].values()} <= set(told)
    assert [] == [pid for pid, found in told.items() if found]


def test_what_holds_them_is_closed_to_others(sandbox: Sandbox) -> None:
    """Nobody else comes into the sandbox's folder, and keys are closed by themselves."""
    root = sandbox.home.root
    private = [path for folder in ("config", "pki") for path in (root / folder).glob("*") if _holds(path)]

    assert 0o700 == root.stat().st_mode & 0o777
    assert len(private) > 10
    assert {0o600} == {path.stat().st_mode & 0o777 for path in private}


def _holds(path: Path) -> bool:
    return path.suffix in {".key", ".kubeconfig"}
