"""Terraform's own command through the adapter, with resources that need no provider."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.terraform_adapter.conftest import BUILTIN, Kept, Make, environ

from rollbook.errors import (
    BadInputError,
    CancelledError,
    EnvironmentFailedError,
    NotFoundError,
    TargetHeldError,
)
from rollbook.terraform.deadlines import Deadlines
from rollbook.terraform.folder import Inputs
from rollbook.terraform.port import Action, Event, EventKind, OverdueError
from rollbook.terraform.process import followed

PASSWORD = "correct-horse-battery"


def test_a_plan_is_applied_shown_planned_again_and_destroyed(make: Make, kept: Kept) -> None:
    """Each step is typed, tells what happens while it happens, and leaves a record."""
    events: list[Event] = []
    terraform = make(progress=events.append)

    assert ["Terraform"] == [one.name for one in terraform.components()][:1]
    plan = terraform.plan()
    assert ("terraform_data.first", "terraform_data.last") == tuple(one.address for one in plan.adds)
    assert "2 to add, 0 to change, 0 to replace, 0 to destroy; 0 stay as they are" == plan.sentence
    assert ("password",) == plan.outputs
    assert ["terraform_data.first", "terraform_data.last"] == [one.address for one in plan.resources]

    applied = terraform.apply(plan)
    assert (("terraform_data.first", "terraform_data.last"), (), ()) == (
        applied.created,
        applied.updated,
        applied.deleted,
    )
    assert {EventKind.PLANNED, EventKind.STARTED, EventKind.DONE, EventKind.SUMMARY} <= {
        one.kind for one in events
    }
    assert ["terraform_data.first", "terraform_data.last"] == [
        one.address for one in events if one.kind is EventKind.DONE
    ]
    assert applied.resources == terraform.resources()
    assert terraform.drift().clean

    gone = terraform.destroy()
    assert (("terraform_data.last", "terraform_data.first"), ()) == (gone.deleted, gone.resources)
    assert [
        ("init", "0"), ("plan", "2"), ("apply", "0"), ("show", "0"), ("show", "0"), ("plan", "0"),
        ("plan -destroy", "2"), ("destroy", "0"),
    ] == kept.calls()  # fmt: skip
    assert [[]] == [answer["left"] for answer in kept.answers("destroy")]


def test_what_another_value_changes_is_told_attribute_by_attribute(make: Make) -> None:
    """Updates and replacements are told with what differs and why, and are drift until they are applied."""
    terraform = make()
    terraform.apply(terraform.plan())
    other = make(size=2, seconds=0.1)
    plan = other.plan()

    assert [Action.UPDATE] == [one.action for one in plan.changes]
    assert [("input",), ("output",)] == [
        plan.changes[0].differing,
        tuple(one.name for one in plan.changes[0].attributes if not one.known),
    ]
    assert ["This cannot be changed without making it anew: triggers_replace"] == [
        one.why for one in plan.replaces
    ]
    assert ("terraform_data.last", "replace") == (plan.rows()[0].address, plan.rows()[0].action)
    found = other.drift()
    assert (False, {"terraform_data.first", "terraform_data.last"}) == (
        found.clean,
        {one.address for one in found.unexpected},
    )


def test_sensitive_values_are_shown_nowhere(make: Make, kept: Kept, tmp_path: Path) -> None:
    """Neither plan, progress, records nor logs hold them, and other users cannot read the state."""
    events: list[Event] = []
    terraform = make(progress=events.append)
    plan = terraform.plan()
    applied = terraform.apply(plan)
    changed = make(password="another-horse-battery").plan()
    with pytest.raises(EnvironmentFailedError):
        terraform.outputs()  # they are not those of terraform/, and are recorded before that is seen

    told = repr((plan, plan.rows(), applied, changed, changed.rows(), events)) + json.dumps(
        [answer for _, _, answer in kept.records]
    )
    logs = [path.read_text() for path in (tmp_path / "work").iterdir() if path.is_file()]
    assert logs
    assert [] == [text for text in (told, *logs) if "horse-battery" in text]
    assert [("triggers_replace", "[sensitive]", "[sensitive]")] == [
        (one.name, one.before, one.after)
        for one in changed.replaces[0].attributes
        if one.name == "triggers_replace"
    ]
    assert 0o700 == stat.S_IMODE((tmp_path / "work").stat().st_mode)


def test_an_interrupt_is_passed_on_once_and_the_state_is_saved(make: Make, kept: Kept) -> None:
    """However often it comes, Terraform ends by itself; what it had made is known afterwards."""

    def interrupt(event: Event) -> None:
        if event.kind is EventKind.STARTED and event.address == "terraform_data.last":
            for _ in range(3):
                signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    terraform = make(progress=interrupt, seconds=60)
    plan = terraform.plan()
    with pytest.raises(CancelledError) as told:
        terraform.apply(plan)

    assert "1 changes were made" in told.value.why
    assert before is signal.getsignal(signal.SIGINT)
    assert {"terraform_data.first"} <= {one.address for one in terraform.resources()}
    assert [True] == [answer["interrupted"] for answer in kept.answers("apply")]
    assert [] == [one for one in make(seconds=60).plan().adds if one.address == "terraform_data.first"]


def test_what_takes_too_long_is_ended_and_told(make: Make, kept: Kept) -> None:
    """At its deadline Terraform is interrupted, saves its state, and the error says so; then it can go on."""
    within = Deadlines(init_s=300.0, plan_s=300.0, apply_s=6.0, read_s=300.0)
    terraform = make(seconds=250, within=within)
    plan = terraform.plan()
    with pytest.raises(OverdueError, match="terraform apply did not end within 6 s") as told:
        terraform.apply(plan)

    assert (4, True) == (
        int(told.value.exit_code),
        "it waited for terraform_data.last (create for" in told.value.why,
    )
    assert [True] == [answer["interrupted"] for answer in kept.answers("apply")]
    assert () == make().destroy().resources


def test_what_does_not_end_by_itself_is_killed(tmp_path: Path) -> None:
    """A command that takes no notice of interrupts ends nevertheless, with all that it started."""
    ignoring = "trap '' INT; echo $$; sleep 250 & wait; wait"
    lines: list[str] = []
    ended = followed(
        ("sh", "-c", ignoring),
        cwd=tmp_path,
        environ=os.environ,
        log=tmp_path / "log.jsonl",
        within_s=3.0,
        grace_s=0.2,
        each=lines.append,
    )

    assert (-signal.SIGKILL, True, True, False) == (
        ended.code,
        ended.interrupted,
        ended.overdue,
        ended.orderly,
    )
    deadline = time.monotonic() + 60
    while _of_the_session(int(lines[0])) and time.monotonic() < deadline:
        time.sleep(0.05)  # the kernel takes a moment to end what was killed
    assert [] == _of_the_session(int(lines[0]))


def _of_the_session(leader: int) -> list[psutil.Process]:
    """Processes of a session that still run."""
    found = []
    for one in psutil.process_iter(["pid", "status"]):
        try:
            if os.getsid(one.pid) == leader and one.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(one)
        except ProcessLookupError:
            continue
    return found


def test_an_error_of_whoever_listens_ends_the_apply_in_order(make: Make) -> None:
    """Terraform is interrupted and waited for, and then the error is raised."""

    def broken(event: Event) -> None:
        if event.kind is EventKind.DONE:
            raise ValueError("a broken display")

    terraform = make(progress=broken)
    plan = terraform.plan()
    with pytest.raises(ValueError, match="a broken display"):
        terraform.apply(plan)

    assert "terraform_data.first" in {one.address for one in terraform.resources()}


def test_terraform_outlives_whoever_started_it(make: Make, tmp_path: Path) -> None:
    """When this process is killed in the middle of an apply, Terraform goes on and saves its state."""
    work = tmp_path / "work"
    make(seconds=2).plan()  # so that the other process need not init
    program = f"""
import os
from pathlib import Path
from rollbook.terraform.command import Terraform
from rollbook.terraform.folder import Inputs

def told(event):
    if event.kind == "started" and event.address == "terraform_data.last":
        os.kill(os.getpid(), 9)

source = Path({str(BUILTIN)!r})
one = Terraform(source, workdir=Path({str(work)!r}), plugins=Path({str(tmp_path / "plugins")!r}),
                environ=os.environ, inputs=Inputs.emulated(source, "http://127.0.0.1:9", seconds=2),
                progress=told)
one.apply(one.plan())
"""
    ended = subprocess.run([sys.executable, "-c", program], env=environ(), timeout=240, check=False)
    assert -signal.SIGKILL == ended.returncode

    log = work / "apply.jsonl"
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and "Apply complete!" not in log.read_text():
        time.sleep(0.1)
    assert {"terraform_data.first", "terraform_data.last"} == {
        one.address for one in make(seconds=2).resources()
    }


def test_a_state_that_somebody_holds_is_left_alone(make: Make, tmp_path: Path) -> None:
    """The error says that it is locked, and by whom; nothing is planned."""
    terraform = make(lock_wait_s=0.2)
    terraform.apply(terraform.plan())
    state = tmp_path / "work" / "root" / "terraform.tfstate"
    with state.open("r+b") as held:
        fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(TargetHeldError, match="state lock"):
            terraform.plan()
    assert terraform.drift().clean


def test_two_in_one_folder_take_turns(make: Make) -> None:
    """While one plans, another that was told not to wait is refused."""
    refused: list[str] = []

    def other(_event: Event) -> None:
        if not refused:
            with pytest.raises(TargetHeldError) as told:
                second.plan()
            refused.append(told.value.what)

    second = make(lock_wait_s=0.1)
    second.components()
    make(progress=other).plan()

    assert [True] == [what.startswith("another Terraform works in ") for what in refused]


def test_a_plan_is_applied_once(make: Make) -> None:
    """The file is gone afterwards, for it holds values in clear; applying again says to plan again."""
    terraform = make()
    plan = terraform.plan()
    terraform.apply(plan)
    with pytest.raises(BadInputError, match="applied already"):
        terraform.apply(plan)


def test_a_plan_of_an_older_state_is_refused(make: Make) -> None:
    """Terraform refuses it, and the next step is to plan again."""
    terraform = make()
    old = terraform.plan()
    content = old.file.read_bytes()
    terraform.apply(terraform.plan())
    old.file.write_bytes(content)
    with pytest.raises(BadInputError, match="Saved plan is stale") as told:
        terraform.apply(old)

    assert told.value.next_step.startswith("Plan again")


def test_a_value_that_the_code_refuses_is_bad_input(make: Make) -> None:
    """The error has the variable's own words."""
    with pytest.raises(BadInputError) as told:
        make(size=0).plan()

    assert "There is nothing smaller than 1." in told.value.why


def test_before_the_first_apply_there_is_nothing(make: Make) -> None:
    """Neither resources nor outputs, and the error says to apply."""
    terraform = make()

    assert () == terraform.resources()
    with pytest.raises(NotFoundError, match="no outputs"):
        terraform.outputs()


def test_terraform_has_to_be_there(make: Make, tmp_path: Path) -> None:
    """Without the command, the error says where it is had."""
    with pytest.raises(EnvironmentFailedError, match="not on the PATH") as told:
        make(env=environ(PATH=str(tmp_path))).plan()

    assert "https://" in told.value.next_step


def test_terraform_has_to_be_new_enough(make: Make, tmp_path: Path) -> None:
    """An old one is named with its version, before anything is asked of it."""
    old = tmp_path / "bin" / "terraform"
    old.parent.mkdir()
    old.write_text('#!/bin/sh\necho \'{"terraform_version": "1.5.7", "provider_selections": {}}\'\n')
    old.chmod(0o755)
    with pytest.raises(EnvironmentFailedError, match=r"1\.5\.7 is too old"):
        make(env=environ(PATH=f"{old.parent}{os.pathsep}{os.environ['PATH']}")).plan()


@pytest.mark.parametrize(
    ("inputs", "env", "told"),
    [
        (Inputs(), {}, "state has no place"),
        (Inputs(backend=Path("/nonexistent/backend.hcl")), {}, "no file /nonexistent/backend.hcl"),
        (Inputs(endpoint_url="http://127.0.0.1:9", var_files=(Path("/nonexistent/x"),)), {}, "no file"),
        (Inputs(backend=BUILTIN / "versions.tf"), {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "elsewhere"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_started(
    make: Make, kept: Kept, inputs: Inputs, env: dict[str, str], told: str
) -> None:
    """State without a place, files that are not there, and AWS that would not be AWS."""
    with pytest.raises(BadInputError, match=told):
        make(inputs=inputs, env=environ(**env)).plan()

    assert [] == kept.records
