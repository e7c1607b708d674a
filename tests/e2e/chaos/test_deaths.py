"""Deaths x phases on the real sandbox: whatever befalls a run, users are on stable and the record is true."""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.chaos.deaths import (
    BRIEFLY_S,
    FEW_CALLS,
    Death,
    Struck,
    component_gone,
    component_hangs,
    component_killed,
    disk_full,
    kernel_killed,
    kernel_starved,
    launcher_killed,
    machine_rebooted,
    signalled,
    throttled,
)
from tests.e2e.chaos.scene import SERVICE, Record, Scene, eventually, rooted, write_plan
from tests.e2e.chaos.throttle import FOR_EVER, throttle_before
from tests.e2e.conftest import run_folder

from rollbook.evidence.journal import Entry, Kind
from rollbook.sandbox import api

VERSIONS = (f"3.{number}" for number in itertools.count())
DISK = "8m"
"""Size of the small file system: a run of two phases needs about 3 MiB of it."""


@dataclass(frozen=True)
class Phase:
    """A phase to strike: the plan that leads there, and the moment."""

    name: str
    plan: tuple[str, ...]
    moment: Callable[[Entry], bool]
    verdict: str | None = None


def begins(phase: str, step: str) -> Callable[[Entry], bool]:
    """The moment when a step of a phase has begun."""
    return lambda entry: (entry.phase, entry.name, entry.data.get("state")) == (phase, step, "started")


def at_twenty(entry: Entry) -> bool:
    """The moment when a fifth of the users is sent to the new version."""
    return entry.kind is Kind.DECISION and entry.name == "weight" and entry.data["weight"] == 20


PHASES = (
    Phase("provision", ("provision", "deploy"), begins("provision", "bring up the target")),
    Phase("deploy", ("deploy",), begins("deploy", "wait until the Rollout is healthy")),
    Phase("canary", ("deploy", "canary"), at_twenty, "promoted"),
    Phase("drill", ("deploy", "drill"), at_twenty, "rolled-back"),
    Phase(
        "validate",
        ("validate",),
        lambda entry: entry.phase == "validate" and entry.kind is Kind.GATE,
    ),
)


def started(phase: str) -> Callable[[Entry], bool]:
    """The moment when a phase begins."""
    return lambda entry: (entry.phase, entry.name) == (phase, "phase started")


def planned(name: str) -> dict[str, Any]:
    """A phase of the plan, as short as it can be."""
    users = {"rps": 20, "lead_s": 0.5, "timeout_s": 90}
    faulty = {**users, "fault": "errors"}
    if name == "deploy":
        return {"phase": name, "parameters": {"version": next(VERSIONS)}}
    if name == "canary":
        return {"phase": name, "parameters": {**users, "version": next(VERSIONS)}}
    if name == "drill":
        return {"phase": "canary", "name": name, "expect": "rolled-back", "parameters": faulty}
    if name == "validate":
        return {"phase": name, "parameters": {"probes": 300}}
    return {"phase": name}


@dataclass(frozen=True)
class Fate:
    """What must come of a death: one of `codes` as exit code, and `says` in the run's sentence.

    More than one code where it depends on the moment: a component that is started again in seconds.
    """

    codes: tuple[int, ...]
    says: str = ""


@dataclass(frozen=True)
class Case:
    """A death, and what must come of it.

    `then`: the command that finishes the run or makes it safe. `early`: strikes when the phase begins, for
    what it needs is not asked for later. `wounds`: the sandbox is not fit for another case. `small_disk`: the
    run's folder is on a file system of its own, and nobody can write down how the run ends. `late`: what
    finishes it comes when Argo has gone on to its own end. `only`: the phases at which it differs from other
    cases. `at`: what comes of it at certain phases.
    """

    name: str
    death: Death
    fate: Fate
    then: str = "resume"
    early: bool = False
    wounds: bool = False
    small_disk: bool = False
    late: bool = False
    only: tuple[str, ...] = ()
    at: Mapping[str, Fate] = field(default_factory=dict)


OUTCOMES = {0: "passed", 3: "refused", 4: "failed", 5: "cancelled", -9: None}
HEADS = {3: "a gate refused the release", 4: "the run failed", 5: "the run was cancelled"}
RELEASES = ("canary", "drill")
UNHURT, DIED, AWAY = Fate((0,)), Fate((-9,)), Fate((4,), "API server")
CASES = (
    Case("sigterm", signalled(signal.SIGTERM), Fate((5,), "interrupted")),
    Case("sigint", signalled(signal.SIGINT), Fate((5,), "interrupted")),
    Case("kernel-killed", kernel_killed, Fate((4,), "died")),
    Case("kernel-starved", kernel_starved, Fate((4,), "memory")),
    Case("launcher-killed", launcher_killed, DIED),
    Case("launcher-killed-abort", launcher_killed, DIED, then="abort", only=RELEASES),
    Case("launcher-killed-late", launcher_killed, DIED, late=True, only=RELEASES),
    Case("rebooted", machine_rebooted, DIED, wounds=True),
    Case(
        "apiserver-killed",
        component_killed("kube-apiserver"),
        UNHURT,
        wounds=True,
        at={"deploy": Fate((0, 4)), "validate": Fate((0, 3, 4))},
    ),
    Case("apiserver-hangs", component_hangs("kube-apiserver", BRIEFLY_S), UNHURT),
    Case(
        "apiserver-gone",
        component_gone("kube-apiserver"),
        AWAY,
        wounds=True,
        at={"provision": Fate((4,), "kube-apiserver")},
    ),
    Case(
        "prometheus-killed",
        component_killed("prometheus"),
        UNHURT,
        wounds=True,
        at={"validate": Fate((0, 3, 4))},
    ),
    Case("prometheus-hangs", component_hangs("prometheus", BRIEFLY_S), UNHURT),
    Case(
        "prometheus-gone",
        component_gone("prometheus"),
        Fate((4,), "no answer"),
        wounds=True,
        at={"provision": Fate((4,), "prometheus did not come up"), "deploy": UNHURT},
    ),
    Case("aws-throttles-briefly", throttled(FEW_CALLS), UNHURT, early=True),
    Case("aws-throttles", throttled(FOR_EVER), Fate((4,), "Rate exceeded"), early=True),
    Case("disk-full", disk_full, Fate((4,)), small_disk=True),
)
REPRESENTATIVES = {
    ("sigterm", "deploy"),
    ("launcher-killed", "canary"),
    ("apiserver-killed", "drill"),
    ("disk-full", "deploy"),
}


def matrix() -> Iterator[Any]:
    """Every death at every phase; a representative of each runs in the normal suite too."""
    # What leaves the sandbox wounded comes last: the next case has to wait for another one.
    for case, phase in itertools.product(sorted(CASES, key=lambda one: one.wounds), PHASES):
        if case.only and phase.name not in case.only:
            continue
        chosen = (case.name, phase.name) in REPRESENTATIVES
        marks = pytest.mark.e2e if chosen else pytest.mark.chaos
        yield pytest.param(case, phase, marks=marks, id=f"{case.name}-{phase.name}")


@contextmanager
def folder_for(case: Case, where: Path) -> Iterator[Path]:
    """Where the run writes."""
    out = where / "out"
    out.mkdir()
    if not case.small_disk:
        yield out
        return
    if not rooted():
        pytest.skip("mounting a small file system takes root")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "rollbook-chaos", str(out)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    try:
        yield out
    finally:
        subprocess.run(["umount", "--lazy", str(out)], check=True)


def prepare(scene: Scene, phase: Phase) -> None:
    """What a phase finds when its plan does not make it."""
    if phase.name == "validate" and not scene.deployed():
        where = ("--service", str(SERVICE), "--out", str(scene.home.root / "out"))
        done = scene.rollbook("run", *where, "--phase", "deploy")
        assert done.code == 0, done.err


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("case", "phase"), list(matrix()))
def test_a_run_that_is_struck(scene: Scene, tmp_path: Path, case: Case, phase: Phase) -> None:
    """World, record and exit code are as the table says; the run is then finished, or made safe."""
    prepare(scene, phase)
    names = phase.plan
    if case.death is machine_rebooted and "provision" not in names:
        names = ("provision", "deploy", phase.name) if phase.name == "validate" else ("provision", *names)
    try:
        with (
            folder_for(case, tmp_path) as out,
            throttle_before(api.load(scene.home).endpoints.aws_endpoint_url) as throttle,
        ):
            plan = write_plan(tmp_path / "plan.yaml", [planned(name) for name in names])
            with scene.run(out, plan, {"ROLLBOOK_AWS_ENDPOINT_URL": throttle.url}) as running:
                running.until(started(phase.name) if case.early else phase.moment)
                with case.death(Struck(scene, running, throttle)):
                    ended = running.end()
            scene.assert_nothing_is_left()
            assert ended.code in case.at.get(phase.name, case.fate).codes, ended.err
            assert "Traceback" not in ended.err
            check_record(scene, case, phase, out, ended.code)
            if case.death is not machine_rebooted:
                scene.assert_healthy()
            if case.late:
                eventually("Argo has ended it", lambda: scene.phase() in {"Healthy", "Degraded"})
            if case.then == "abort":
                check_abort(scene, out)
            elif ended.code != 0:
                check_resume(scene, phase, out)
            scene.assert_back_on_stable()
            scene.assert_nothing_is_left()
            scene.assert_healthy()
    finally:
        if case.wounds:
            scene.down()


def report_of(scene: Scene, record: Record) -> str:
    """The page that anybody can make of a record that has none."""
    done = scene.rollbook("report", str(record.folder))
    assert done.code == 0, done.err
    return record.report


def check_record(scene: Scene, case: Case, phase: Phase, out: Path, code: int) -> None:
    """The phase's outcome, the run's, and the report's first words."""
    record = Record.of(run_folder(out))
    struck, run = record.phase(phase.name), record.run
    if case.small_disk:
        assert struck["outcome"] in {None, "failed"}
        return
    assert struck["outcome"] == OUTCOMES[code]
    if code == -9:
        assert run["outcome"] is None
        assert "did not finish" in report_of(scene, record)
        return
    assert run["outcome"]["exit_code"] == code
    assert case.at.get(phase.name, case.fate).says in run["outcome"]["sentence"]
    assert HEADS.get(code, "") in record.report


def check_abort(scene: Scene, out: Path) -> None:
    """`rollbook abort` leaves users on stable, whether or not something was rolling out."""
    done = scene.abort(out)

    assert done.code == 0, done.err
    assert "Traceback" not in done.err


def check_resume(scene: Scene, phase: Phase, out: Path) -> None:
    """`--resume` finishes the run with the verdict that it was begun for."""
    done = scene.resume(out)

    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    record = Record.of(run_folder(out))
    assert [one["outcome"] for one in record.run["phases"]] == ["passed"] * len(record.run["phases"])
    assert record.phase(phase.name).get("verdict") == phase.verdict
    assert record.run["outcome"]["exit_code"] == 0
    assert "the run failed" not in record.report
