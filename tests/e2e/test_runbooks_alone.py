"""Each runbook runs alone, by papermill's own command with its defaults, in the order of a day's work."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from tests.e2e.conftest import BIN, PROJECT, Finished, environment

from rollbook.sandbox.api import Sandbox

pytestmark = pytest.mark.e2e


def papermill(runbook: str, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "papermill"), f"runbooks/{runbook}.ipynb", str(output), "--no-progress-bar", *arguments],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def record_of(notebook: Path) -> dict[str, object]:
    """The record that an executed runbook names last: others may write beneath reports/, too."""
    cells = json.loads(notebook.read_text())["cells"]
    shown = ["".join(one["data"]["text/plain"]) for one in cells[-1]["outputs"] if "data" in one]
    folder = Path(re.search(r"^record: (.+)$", "\n".join(shown), re.MULTILINE)[1])  # type: ignore[index]
    loaded = json.loads((folder / "run.json").read_text())
    assert isinstance(loaded, dict)
    assert (folder / "report.html").is_file()
    return loaded


@pytest.mark.parametrize("runbook", ["provision", "deploy", "canary", "validate", "teardown"])
def test_a_runbook_runs_alone(release: Finished, sandbox: Sandbox, tmp_path: Path, runbook: str) -> None:
    """papermill ends well, and the runbook leaves a record of its own with a report.

    A whole run was here before: deploy goes back to the first version, and the canary is promoted once more.
    """
    output = tmp_path / f"{runbook}.ipynb"

    done = papermill(runbook, output)

    assert done.returncode == 0, done.stderr[-2000:]
    run = record_of(output)
    phases = run["phases"]
    assert isinstance(phases, list)
    verdict = "promoted" if runbook == "canary" else None
    assert [(runbook, "passed", verdict)] == [
        (phase["runbook"], phase["outcome"], phase.get("verdict")) for phase in phases
    ]


def test_a_typo_is_refused_before_anything_happens(sandbox: Sandbox, tmp_path: Path) -> None:
    """A bad value by papermill ends in one readable line in the notebook, not in a traceback."""
    output = tmp_path / "canary.ipynb"

    done = papermill("canary", output, "-p", "rps", "many")

    assert done.returncode != 0
    notebook = json.loads(output.read_text())
    errors = [
        item
        for cell in notebook["cells"]
        for item in cell.get("outputs", [])
        if item["output_type"] == "error"
    ]
    assert [error["ename"] for error in errors] == ["BadInputError"]
    assert len(errors[0]["traceback"]) <= 3


def test_after_teardown_a_canary_says_what_is_missing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Without a deployed service the canary runbook tells to deploy first."""
    done = papermill("canary", tmp_path / "canary.ipynb")

    assert done.returncode != 0
    assert "NotFoundError: there is no Rollout hello/hello" in done.stderr
