"""Bad parameters and plans: exit code 2 and one line with the place, before anything is started or called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[1]
CANARY = "phases:\n- phase: canary\n  parameters:\n    "
HUGE = "# " + "x" * 1_000_000

SETS = {
    "a text for a number": ("rps=lots", "canary: rps: Input should be a valid number (got 'lots')"),
    "below its bound": ("rps=-1", "canary: rps: Input should be greater than 0 (got -1)"),
    "above its bound": ("probes=100000", "deploy: probes: Input should be less than or equal to 1000"),
    "not a number": ("rps=nan", "canary: rps: Input should be a valid number (got 'nan')"),
    "infinite": ("rps=inf", "canary: rps: Input should be a valid number (got 'inf')"),
    "infinite by its size": ("rps=1e999", "canary: rps: Input should be a finite number"),
    "half a thing": ("probes=1.5", "deploy: probes: Input should be a valid integer (got 1.5)"),
    "an unknown name": ("rpm=5", "--set rpm: no chosen phase takes rpm"),
    "a name of no phase": ("canry.rps=5", "--set canry.rps: no chosen phase is called 'canry'"),
    "no value": ("rps", "--set rps: it must be name=value"),
    "an empty number": ("rps=", "canary: rps: Input should be a valid number (got '')"),
    "a word that is none of two": ("expect=good", "canary: expect: Input should be 'promoted' or"),
    "a path for a version": ("version=../../etc", "deploy: version: String should match pattern"),
    "a fault that there is not": ("fault=typo", "phase canary: service.yaml names no fault 'typo'"),
    "an account without its zero": ("account=12345678901", "provision: account: String should match pattern"),
    "a secret": ("fault=" + "AKIA" + "Q3EXAMPLE7RTLX2B", "canary: fault: it looks like an AWS access key"),
    "what an option sets": ("target=sandbox", "--set target: target has an option of its own"),
}
PLANS: dict[str, tuple[str | bytes, str]] = {
    "a wrong type": (f"{CANARY}rps: '50'\n", "line 4: phases.0.parameters.rps: Input should be a valid num"),
    "out of bounds": (
        f"{CANARY}rps: -1\n",
        "line 4: phases.0.parameters.rps: Input should be greater than 0",
    ),
    "an unknown parameter": (f"{CANARY}rsp: 1\n", "line 4: phases.0.parameters.rsp: there is no such name"),
    "a number for a version": (f"{CANARY}version: 1.10\n", '(got 1.10): write it in quotes, "1.10"'),
    "a number for an account": (
        "phases:\n- phase: provision\n  parameters: {account: 012345678901}\n",
        "line 3: 012345678901 is a number with a leading zero",
    ),
    "no for false": (
        "phases:\n- phase: teardown\n  parameters: {environment: no}\n",
        "line 3: phases.0.parameters.environment: Input should be a valid boolean (got no)",
    ),
    "a duplicate key": (f"{CANARY}rps: 5\n    rps: 6\n", "line 5: 'rps' stands here twice, first in line 4"),
    "an unknown phase": (
        "phases:\n- phase: cannary\n",
        "line 2: phases.0.phase: Input should be 'provision'",
    ),
    "two phases of one name": ("phases:\n- phase: deploy\n- phase: deploy\n", "line 3: phases.1: two phases"),
    "a verdict of no canary": ("phases:\n- phase: deploy\n  expect: promoted\n", "line 3: phases.0.expect"),
    "not UTF-8": (b"phases:\n- phase: caf\xe9\n", "line 2: it is not UTF-8 text"),
    "empty": ("", "is empty"),
    "a list": ("- phase: deploy\n", "line 1: it must be a mapping"),
    "no phases": ("phases: []\n", "line 1: phases"),
    "a tab": ("phases:\n\t- phase: deploy\n", "line 2: it is not valid YAML: found character '\\t'"),
    "open brackets": ("phases: [\n", "it is not valid YAML"),
    "an alias of itself": ("phases: &x [*x]\n", "line 1: the alias *x stands for nothing"),
    "nested too deep": ("phases: " + "[" * 5000, "line 1: it is nested more than 30 levels deep"),
    "huge": (HUGE, "is larger than 1,000,000 bytes"),
    "a tag": ("phases: !!python/name:os.system\n", "line 1: tags such as"),
}
OTHERS = {
    "no such file": (["--plan", "nowhere.yaml"], "there is no file nowhere.yaml"),
    "a folder": (["--plan", "docs"], "docs cannot be read"),
    "not a plan at all": (["--plan", "Makefile"], "Makefile line"),
    "an unknown target": (["--target", "mars"], "unknown target 'mars'"),
    "an unknown phase asked for": (["--phase", "canry"], "--phase canry: there is no such phase"),
    "no service": (["--service", "nowhere.yaml"], "there is no nowhere.yaml"),
    "a file to write into": (["--out", "README.md"], "README.md is a file"),
    "an unknown option": (["--rps", "5"], "No such option: --rps"),
}
KINDS = [
    *(f"set: {kind}" for kind in SETS),
    *(f"plan: {kind}" for kind in PLANS),
    *(f"run: {kind}" for kind in OTHERS),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of each bad request, all in one process: it is the start of Python that takes time."""
    folder = tmp_path_factory.mktemp("bad")
    lines: dict[str, list[str]] = {f"set: {kind}": ["--set", one] for kind, (one, _) in SETS.items()}
    for number, (kind, (content, _)) in enumerate(PLANS.items()):
        path = folder / f"plan-{number}.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        lines[f"plan: {kind}"] = ["--plan", str(path)]
    lines |= {f"run: {kind}": arguments for kind, (arguments, _) in OTHERS.items()}
    out = folder / "reports"
    asked = [["run", *line, *([] if "--out" in line else ["--out", str(out)])] for line in lines.values()]
    done = subprocess.run(
        [sys.executable, str(PROJECT / "tests" / "audited.py")],
        input=json.dumps(asked),
        cwd=PROJECT,
        env={**os.environ, "ROLLBOOK_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told: list[dict[str, Any]] = json.loads(done.stdout)
    left = sorted(path.name for path in folder.iterdir() if not path.name.startswith("plan-"))
    return {kind: {**one, "left": left} for kind, one in zip(lines, told, strict=True)}


def complaint(kind: str) -> str:
    group, _, name = kind.partition(": ")
    found: dict[str, tuple[Any, str]] = {"set": SETS, "plan": PLANS, "run": OTHERS}[group]  # type: ignore[assignment]
    return found[name][1]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_told_in_one_line(kind: str, outcomes: dict[str, dict[str, Any]]) -> None:
    """Exit code 2, and one error of one line that names the place."""
    told = outcomes[kind]

    assert (2, "") == (told["code"], told["out"])
    (error,) = [line for line in told["err"].splitlines() if line.startswith("error: ")]
    assert complaint(kind) in told["err"]
    assert complaint(kind).split(": write")[0] in error
    assert "Traceback" not in told["err"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_started_or_called(kind: str, outcomes: dict[str, dict[str, Any]]) -> None:
    """No process, no socket and no folder: neither a run's nor a sandbox's."""
    assert ([], []) == (outcomes[kind]["did"], outcomes[kind]["left"])


def test_a_good_request_is_seen_to_start_something(tmp_path: Path) -> None:
    """The watch is awake: a request that is good makes its folder and starts processes."""
    asked = [["run", "--phase", "validate", "--out", str(tmp_path / "reports")]]
    done = subprocess.run(
        [sys.executable, str(PROJECT / "tests" / "audited.py")],
        input=json.dumps(asked),
        cwd=PROJECT,
        env={**os.environ, "ROLLBOOK_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    (told,) = json.loads(done.stdout)
    assert {"os.mkdir", "subprocess.Popen"} <= set(told["did"])
