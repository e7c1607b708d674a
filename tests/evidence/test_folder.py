"""The folder of a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from rollbook.errors import BadInputError, ExitCode
from rollbook.evidence.folder import RunFolder, new_run_id
from rollbook.evidence.record import RunRecord
from rollbook.evidence.scrub import Scrubber

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def test_two_runs_of_one_second_have_two_folders(tmp_path: Path) -> None:
    """A name that is taken gets a number."""
    first = RunFolder.create(tmp_path, new_run_id(NOON, "hello"))
    second = RunFolder.create(tmp_path, new_run_id(NOON, "hello"))

    assert first.run_id == "hello-20261123-120000"
    assert second.run_id == "hello-20261123-120000-2"


def test_a_folder_without_a_record_is_not_a_run(tmp_path: Path) -> None:
    """Opening some folder is refused, and says what a run's folder has."""
    with pytest.raises(BadInputError, match=r"it has no run\.json"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b\n", "…", ".hidden"])
def test_names_from_the_world_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    """An object's name cannot lead out of the run's folder."""
    folder = RunFolder.create(tmp_path, "run")

    path = folder.write_object("canary", "Pod", name, {"kind": "Pod"})

    assert path.resolve().is_relative_to(tmp_path / "run" / "objects" / "canary")


def test_a_phase_without_an_end_has_no_outcome(tmp_path: Path) -> None:
    """A phase is not passed before it is ended, and a failing end keeps the error's sentence."""
    folder = RunFolder.create(tmp_path, "run")
    record = RunRecord(folder)
    record.begin(NOON, {"target": "sandbox"})
    record.phase_started(NOON, "canary", "canary", {"rps": 50}, "promoted")
    started = record.phase("canary")
    record.phase_facts("canary", sentence="all well")
    record.phase_ended(NOON, "canary", ExitCode.GATE_REFUSED, "the gate refused")

    ended = record.phase("canary")
    assert started is not None
    assert started["outcome"] is None
    assert ended is not None
    assert (ended["outcome"], ended["exit_code"], ended["sentence"]) == ("refused", 3, "the gate refused")


SECRET = "s3cr3t/value+42"


def test_no_secret_is_in_any_file_of_a_run(tmp_path: Path) -> None:
    """Record, metrics, objects, logs, texts and the names of files are scrubbed before they are written."""
    folder = RunFolder.create(tmp_path, "run", scrubber=Scrubber.of({"TOKEN": SECRET}))
    RunRecord(folder).begin(NOON, {"command": ["rollbook", "run", "--set", f"x={SECRET}"]})
    folder.write_metric("canary", SECRET, {"query": f'x{{y="{SECRET}"}}', "series": [[1.5, 2]]})
    folder.write_object("canary", "ConfigMap", SECRET, {"data": {"greeting": f"hi {SECRET}"}})
    folder.write_log("canary", SECRET, f"GET /?token={quote(SECRET, safe='')}\n\udc80")
    folder.write_text("summary.md", f"# {SECRET}")

    files = [path for path in folder.path.rglob("*") if path.is_file()]
    assert 5 == len(files)
    for path in files:
        content = path.read_text()
        assert "[secret TOKEN]" in content
        assert SECRET not in content + path.name
        assert quote(SECRET, safe="") not in content


def test_the_data_of_a_kubernetes_secret_is_not_kept(tmp_path: Path) -> None:
    """Values that rollbook has never heard of are left out because the object says what they are."""
    folder = RunFolder.create(tmp_path, "run")

    path = folder.write_object("canary", "Secret", "db", {"data": {"password": "aHVudGVyMg=="}})

    assert {"kind": "Secret", "data": {"password": "[secret password]"}} == json.loads(path.read_text())
