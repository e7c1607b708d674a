"""What is beneath a folder of runs: rows from small files, and a name for everything else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.history.runs import BEGAN, canary, coverage_json, drill, phase, run_json, write
from tests.report.runs import cut_off_run, full_run

from rollbook.bundle.seal import seal_bundle
from rollbook.coverage.coverage_file import to_json
from rollbook.coverage.model import Coverage, Delivery, Result, State
from rollbook.coverage.requirement import Kind, Requirement
from rollbook.evidence.folder import RunFolder
from rollbook.history.rows import Ending, Hits, NoRun, PhaseRow, scan
from rollbook.history.sealing import RecordSeal


def test_a_row_has_the_figures_of_its_run(tmp_path: Path) -> None:
    """Verdicts, users, times and coverage of a run are those of its small files."""
    states = {"R1": "proved", "R2": "proved", "R3": "failed", "R4": "deferred"}
    write(tmp_path, run_json(phases=[phase("deploy"), canary(failed=2), drill()]), coverage_json(states))

    [row] = scan(tmp_path).runs

    assert BEGAN == row.started
    assert ("hello", "sandbox", Ending.PASSED) == (row.service, row.target, row.ending)
    assert (
        PhaseRow("deploy", "passed", passed=True),
        PhaseRow("canary", "promoted", passed=True),
        PhaseRow("drill", "rolled back", passed=True),
    ) == row.phases
    assert (Hits(2, 2600), Hits(10, 1073)) == (row.release, row.drill)
    assert (4.6, 0.2, 112.0) == (row.detect_s, row.roll_back_s, row.duration_s)
    assert (2, 4, 0.5) == (row.proved, row.requirements, row.coverage)


def test_runs_come_newest_first(tmp_path: Path) -> None:
    """The order is that of their start, and a run without one comes last."""
    for number in (1, 3, 2):
        write(tmp_path, run_json(number))
    write(tmp_path, {"id": "bare"})

    hours = [row.started.hour if row.started else None for row in scan(tmp_path).runs]

    assert [12, 11, 10, None] == hours


@pytest.mark.parametrize(
    ("more", "ending"),
    [
        ({"outcome": {"exit_code": 3, "sentence": "no"}}, Ending.REFUSED),
        ({"outcome": {"exit_code": 5, "sentence": "stopped"}}, Ending.CANCELLED),
        ({"outcome": {"exit_code": 4, "sentence": "no cluster"}}, Ending.FAILED),
        ({"outcome": {"exit_code": 77, "sentence": "?"}}, Ending.FAILED),
        ({"outcome": None, "ended": None}, Ending.UNFINISHED),
        ({"outcome": None}, Ending.UNFINISHED),
    ],
)
def test_a_run_ends_as_its_exit_code_says(tmp_path: Path, more: dict[str, Any], ending: Ending) -> None:
    """Each exit code has its word, and a run without one is not finished."""
    write(tmp_path, run_json(**more))

    assert ending is scan(tmp_path).runs[0].ending


def test_a_phase_that_was_not_reached_and_one_that_failed_say_so(tmp_path: Path) -> None:
    """A verdict against expectation keeps its outcome; what was skipped was not reached."""
    refused = {**canary(), "outcome": "refused"}
    write(tmp_path, run_json(phases=[refused, phase("validate", outcome="skipped")]))

    assert (
        PhaseRow("canary", "promoted, refused", passed=False),
        PhaseRow("validate", "not reached", passed=None),
    ) == scan(tmp_path).runs[0].phases


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    """Foreign, empty, half and damaged folders are listed as what they are, and a link is not followed."""
    good = write(tmp_path, run_json())
    (tmp_path / "README.md").write_text("about runs")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign" / "inside").mkdir(parents=True)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "journal.jsonl").write_text("")
    (tmp_path / "latest").symlink_to(good)
    damaged = {
        "list": "[]",
        "newer": '{"schema": 99}',
        "torn": '{"schema": 1, "id',
        "wrong": '{"phases": "none"}',
        "deep": "[" * 100_000,
        "users": json.dumps(run_json(phases=[{**canary(), "users": {"sent": -1}}])),
        "moment": '{"started": "0001-01-01T00:00:00+14:00"}',
        "bytes": "",
    }
    for name, content in damaged.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(content)
    (tmp_path / "bytes" / "run.json").write_bytes(b"\xff\xfe{}")

    listing = scan(tmp_path)

    assert [good.name] == [row.path for row in listing.runs]
    assert sorted([*damaged, "empty", "foreign", "half", "latest"]) == [one.path for one in listing.others]
    what = {one.path: one.what for one in listing.others}
    assert {"a damaged run"} == {what[name] for name in damaged}
    assert ("an empty folder", "not a run", "half a run", "a link") == tuple(
        what[name] for name in ("empty", "foreign", "half", "latest")
    )
    newer = next(one for one in listing.others if one.path == "newer")
    assert (
        "run.json was written by a newer rollbook: its schema is 99, and this rollbook knows 1" == newer.why
    )


def test_runs_in_a_folder_of_the_folder_are_found(tmp_path: Path) -> None:
    """A folder that holds runs, such as the sample's, is looked into; one deeper than that is not."""
    write(tmp_path / "sample", run_json())
    write(tmp_path / "far" / "away", run_json(1))

    listing = scan(tmp_path)

    assert [f"sample/{run_json()['id']}"] == [row.path for row in listing.runs]
    assert (NoRun("far", "not a run", "it has no run.json"),) == listing.others


def test_coverage_is_read_as_it_is_written(tmp_path: Path) -> None:
    """What `rollbook coverage` writes is counted, and what a newer rollbook writes is not guessed at."""
    folder = write(tmp_path, run_json())
    requirement = Requirement("R1", "Text.", Kind.EXPLICIT, "1A", "process", "L1", (), "this")
    results = [
        Result(replace(requirement, id=f"R{number}"), state, Delivery.STUBBED, "Why.")
        for number, state in enumerate(State)
    ]
    written = to_json(Coverage(tuple(results), run_id="x"), "00" * 32)
    (folder / "coverage.json").write_text(json.dumps(written))
    [known] = scan(tmp_path).runs
    (folder / "coverage.json").write_text(json.dumps({**written, "v": 2}))
    [newer] = scan(tmp_path).runs

    assert (1, len(State)) == (known.proved, known.requirements)
    assert (None, "coverage.json was written by a newer rollbook") == (newer.proved, newer.note[:45])


def test_a_damaged_coverage_is_told_in_its_row(tmp_path: Path) -> None:
    """The run is still a run; that its requirements are not known is said."""
    folder = write(tmp_path, run_json())
    (folder / "coverage.json").write_text('{"requirements": 5}')

    [row] = scan(tmp_path).runs

    assert (None, None, None) == (row.proved, row.requirements, row.coverage)
    assert "coverage.json cannot be read: requirements: Input should be a valid array" in row.note


def test_folders_as_phases_leave_them_are_runs(tmp_path: Path) -> None:
    """A whole run and one that was cut off, as their phases would have left them, have rows."""
    full_run(tmp_path)
    cut_off_run(tmp_path)

    assert {Ending.PASSED, Ending.UNFINISHED} == {row.ending for row in scan(tmp_path).runs}


def test_the_seal_is_that_of_the_journal_without_a_statement(tmp_path: Path) -> None:
    """A journal that ends with its seal is told from one that does not."""
    full_run(tmp_path)
    cut_off_run(tmp_path)
    write(tmp_path, run_json(5))

    seals = {row.path: row.seal for row in scan(tmp_path).runs}

    assert {
        "hello-20260305-093000": RecordSeal.JOURNAL,
        "hello-cut-off": RecordSeal.OPEN,
        run_json(5)["id"]: RecordSeal.OPEN,
    } == seals


@pytest.mark.parametrize("signed", [False, True])
def test_a_sealed_run_is_sealed_until_what_its_row_shows_is_changed(tmp_path: Path, signed: bool) -> None:
    """A statement makes a run sealed, a signature signed; a changed figure, or a file put there, is told."""
    folder = full_run(tmp_path)
    seal_bundle(RunFolder(folder.path), Ed25519PrivateKey.generate() if signed else None)
    content = (folder.path / "run.json").read_text()
    seals = [scan(tmp_path).runs[0].seal]
    for name, text in (
        ("run.json", content.replace("promoted", "promotod", 1)),
        ("coverage.json", json.dumps(coverage_json({"R1": "proved"}))),
        ("manifest.json", "{}"),
        ("statement.dsse.json", "{}"),
    ):
        path = folder.path / name
        before = path.read_bytes() if path.exists() else None
        path.write_text(text)
        seals.append(scan(tmp_path).runs[0].seal)
        path.unlink() if before is None else path.write_bytes(before)

    expected = RecordSeal.SIGNED if signed else RecordSeal.SEALED
    assert [expected, *[RecordSeal.CHANGED] * 4] == seals
    assert expected is scan(tmp_path).runs[0].seal
