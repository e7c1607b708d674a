"""The command line: exit codes, one clear line for each mistake, and help with an example."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rollbook.notebook.parameters import MODELS

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).resolve().parents[1]


def rollbook(tmp_path: Path, *arguments: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    """Run the command with a sandbox home of its own, in which nothing is up."""
    return subprocess.run(
        [str(BIN / "rollbook"), *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ROLLBOOK_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "--target", "mars"], "unknown target 'mars'"),
        (["run", "--set", "rpm=5"], "no chosen phase takes rpm"),
        (["run", "--set", "rps=lots"], "rps: Input should be a valid number"),
        (["run", "--phase", "nope"], "there is no such phase"),
        (["run", "--plan", "nowhere.yaml"], "there is no file nowhere.yaml"),
        (["run", "--plan", "."], ". cannot be read"),
        (["run", "--plan", "Makefile"], "Makefile line"),
        (["run", "--service", "nowhere.yaml"], "there is no nowhere.yaml"),
        (["run", "--out", "/proc/nowhere"], "cannot make the run's folder"),
        (["run", "--nope"], "No such option: --nope"),
        (["frob"], "No such command 'frob'"),
        (["report"], "Missing argument 'RUN'"),
        (["report", "docs"], "docs is not the folder of a run"),
        (["init", "--name", "Not A Name"], "is not a Kubernetes name"),
        (["init", "-o", "service.yaml"], "service.yaml is there already"),
        (["params", "nope"], "there is no runbook 'nope'"),
    ],
)
def test_bad_input_is_exit_code_2_and_one_error(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    """What a user got wrong is told in one error, without a traceback, and nothing is left behind."""
    done = rollbook(tmp_path, *arguments)

    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert complaint in errors[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "home").exists()


def test_without_a_sandbox_a_phase_fails_with_the_next_step(tmp_path: Path) -> None:
    """A phase that needs the sandbox says how to bring it up: exit code 4, with a record and a report."""
    done = rollbook(tmp_path, "run", "--json", "--phase", "validate", "--out", str(tmp_path / "reports"))

    assert done.returncode == 4, done.stderr
    told = json.loads(done.stdout)
    assert told["exit_code"] == 4
    assert "no sandbox is up" in told["sentence"]
    assert "rollbook sandbox up" in told["sentence"]
    assert Path(told["report"]).is_file()
    assert [phase["outcome"] for phase in told["phases"]] == ["failed"]


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["params"],
        ["report"],
        ["doctor"],
        ["init"],
        ["sandbox", "up"],
        ["sandbox", "down"],
        ["sandbox", "status"],
        ["sandbox", "logs"],
        ["sandbox", "kubeconfig"],
    ],
)
def test_every_command_has_help_with_an_example(tmp_path: Path, command: list[str]) -> None:
    """`--help` of every command shows how it is used."""
    done = rollbook(tmp_path, *command, "--help")

    assert done.returncode == 0
    assert "Example: " in done.stdout
    assert "rollbook " + " ".join(command) in done.stdout.partition("Example: ")[2]


def test_help_of_run_lists_the_parameters(tmp_path: Path) -> None:
    """What `--set` takes is in the help, with defaults, units and bounds."""
    done = rollbook(tmp_path, "run", "--help")

    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert ["rps", "50", "user traffic in requests a second; more than 0, at most 1000"] in lines


def test_params_tells_what_a_runbook_takes(tmp_path: Path) -> None:
    """Alone it names the runbooks, with a name it is a table, with options a schema or the document."""
    listed = rollbook(tmp_path, "params")
    table = rollbook(tmp_path, "params", "canary")
    schema = json.loads(rollbook(tmp_path, "params", "canary", "--json").stdout)
    document = rollbook(tmp_path, "params", "--markdown")

    assert list(MODELS) == [line.split()[0] for line in listed.stdout.splitlines()]
    assert "more than 0, at most 1000" in table.stdout
    assert (0, 1000) == tuple(schema["properties"]["rps"][key] for key in ("exclusiveMinimum", "maximum"))
    assert (PROJECT / "docs" / "parameters.md").read_text() == document.stdout


def test_doctor_tells_what_it_checked(tmp_path: Path) -> None:
    """The checks come as JSON too, each with what to do."""
    done = rollbook(tmp_path, "doctor", "--json")

    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["ok"] else 4)
    assert {"name", "ok", "detail", "next_step"} == set(told["checks"][0])


def test_init_writes_a_service_file(tmp_path: Path) -> None:
    """`rollbook init` writes a commented file that names the service."""
    done = rollbook(tmp_path, "init", "--name", "orders", cwd=tmp_path)

    assert done.returncode == 0
    assert "name: orders\n" in (tmp_path / "service.yaml").read_text()
