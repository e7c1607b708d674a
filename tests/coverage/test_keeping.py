"""Coverage of a run's folder: pinned, worked out, and worked out again when something is not as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.coverage.good_world import good
from tests.coverage.saved import REQUIREMENTS, checkout, save, sentence, states

from rollbook.bundle.manifest import evidence_sha256
from rollbook.bundle.seal import seal_bundle
from rollbook.coverage import coverage_file
from rollbook.coverage.assess import NO_PINS
from rollbook.coverage.keeping import (
    NO_CHECKOUT,
    NOT_SEALED,
    begin_coverage,
    coverage_now,
    find_project,
    finish_coverage,
)
from rollbook.coverage.model import Coverage, Delivery, State
from rollbook.errors import BadInputError
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.project import project_files

PROVABLE = {"R-1A-01", "R-1A-02", "R-1A-03", "R-1A-04", "R-7-05"}


def test_a_run_that_went_well_proves_what_it_exercised(kept: tuple[RunFolder, Path, Coverage]) -> None:
    """Requirements are proved, not exercised or decided; and become one of the plan's three words."""
    found = kept[2]

    assert dict.fromkeys(sorted(PROVABLE), State.PROVED) | {
        "R-7-06": State.FAILED,
        "R-7-07": State.DEFERRED,
        "R-7-08": State.SKIPPED,
    } == states(found)
    words = {result.requirement.id: result.delivery for result in found.results}
    assert (Delivery.IMPLEMENTED, Delivery.STUBBED) == (words["R-1A-01"], words["R-1A-03"])  # AWS is emulated
    assert (Delivery.SKIPPED, Delivery.STUBBED, Delivery.SKIPPED) == (
        words["R-7-06"],
        words["R-7-07"],
        words["R-7-08"],
    )


def test_nothing_changed_means_the_same_coverage(run: tuple[RunFolder, Path]) -> None:
    """Worked out again from the same evidence, requirements and code, nothing is different."""
    folder, project = run
    written = coverage_file.read(folder.path)
    seal_bundle(folder)

    again = coverage_now(folder, project)

    assert written is not None
    assert states(written[0]) == states(again)
    assert () == again.notes


def test_the_file_says_which_evidence_it_is_about(kept: tuple[RunFolder, Path, Coverage]) -> None:
    """The digest in coverage.json is the one over the evidence, which coverage.json is no part of."""
    folder, _, found = kept
    written = coverage_file.read(folder.path)

    assert written is not None
    assert evidence_sha256(folder.path) == written[1]
    assert states(found) == states(written[0])


def named(coverage: Coverage) -> list[tuple[str, str]]:
    """Each requirement that is proved, with each file that it rests on."""
    return sorted(
        {
            (result.requirement.id, ref.path)
            for result in coverage.results
            for finding in result.findings
            for ref in finding.evidence
            if result.state is State.PROVED and ref.path != "."
        }
    )


def test_evidence_that_is_deleted_flips_what_rested_on_it(
    kept: tuple[RunFolder, Path, Coverage], tmp_path: Path
) -> None:
    """For every requirement and every file that it rests on: without the file it is proved no more."""
    folder, project, found = kept
    work = shutil.copytree(folder.path, tmp_path / folder.run_id)
    assert PROVABLE == {requirement for requirement, _ in named(found)}
    for path in sorted({path for _, path in named(found)} - {"run.json"}):
        content = (work / path).read_bytes()
        (work / path).unlink()
        again = states(coverage_now(RunFolder.open(work), project))
        for requirement in {one for one, where in named(found) if where == path}:
            assert State.NO_DATA == again[requirement], (requirement, path)
        (work / path).write_bytes(content)


@pytest.mark.parametrize("sealed", [True, False])
def test_evidence_that_is_edited_flips_what_rested_on_it(
    kept: tuple[RunFolder, Path, Coverage], tmp_path: Path, sealed: bool
) -> None:
    """One more byte in a file is enough, whether or not the run has a manifest."""
    folder, project, found = kept
    work = shutil.copytree(folder.path, tmp_path / folder.run_id)
    if sealed:
        seal_bundle(RunFolder.open(work))
    for path in sorted({path for _, path in named(found)} - {"run.json"}):
        content = (work / path).read_bytes()
        (work / path).write_bytes(content + b"\n")
        again = states(coverage_now(RunFolder.open(work), project))
        for requirement in {one for one, where in named(found) if where == path}:
            assert again[requirement] in {State.NO_DATA, State.FAILED}, (requirement, path)
        (work / path).write_bytes(content)


@pytest.mark.parametrize("name", ["Rollout-hello.json", "Rollout-forged.json"])
def test_a_sealed_run_shows_what_was_changed_or_added(run: tuple[RunFolder, Path], name: str) -> None:
    """Also without an earlier coverage, a file that is not as the manifest lists it proves nothing."""
    folder, project = run
    (folder.path / "coverage.json").unlink()
    seal_bundle(folder)
    again = coverage_now(folder, project)
    kept = folder.path / "objects" / "canary"
    (kept / name).write_text((kept / "Rollout-hello.json").read_text() + " ")

    spoilt = coverage_now(folder, project)

    assert (State.PROVED, State.NO_DATA) == (states(again)["R-1A-01"], states(spoilt)["R-1A-01"])
    assert "changed after the run was sealed" in sentence(spoilt, "R-1A-01")
    assert "1 files of the evidence were changed or added" in spoilt.notes[0]


@pytest.mark.parametrize("content", [None, "", "[]", '{"requirements": 7}'])
def test_without_pins_nothing_is_proved(run: tuple[RunFolder, Path], content: str | None) -> None:
    """Evidence of which nobody knows what it was taken for proves nothing."""
    folder, project = run
    (folder.path / "coverage.json").unlink()
    pins = folder.path / "pins.json"
    pins.unlink() if content is None else pins.write_text(content)

    again = coverage_now(folder, project)

    assert {State.NO_DATA} == {states(again)[requirement] for requirement in PROVABLE}
    assert NO_PINS in again.notes


def test_without_a_checkout_the_runs_own_requirements_count(run: tuple[RunFolder, Path]) -> None:
    """A run can be judged where its project is not; what that leaves unknown is told."""
    folder, _ = run

    again = coverage_now(folder, None)

    assert dict.fromkeys(sorted(PROVABLE), State.PROVED).items() <= states(again).items()
    assert (NO_CHECKOUT, NOT_SEALED) == again.notes


def test_a_run_taken_up_again_keeps_its_first_pins(run: tuple[RunFolder, Path]) -> None:
    """Phases that were done before the cut were proved of what was there then."""
    folder, project = run
    before = (folder.path / "pins.json").read_bytes()
    (project / "k8s" / "rollout.yaml").write_text("kind: Deployment\n")

    assert begin_coverage(folder, project)
    assert before == (folder.path / "pins.json").read_bytes()


def test_a_project_without_requirements_has_no_coverage(tmp_path: Path) -> None:
    """A service of somebody else's needs no checklist."""
    world = good()
    world.files = {path: one for path, one in world.files.items() if path.startswith("objects/")}
    folder = save(world, tmp_path)

    assert not begin_coverage(folder, tmp_path)
    assert finish_coverage(folder, tmp_path) is None
    assert ["journal.jsonl", "objects", "run.json", "traffic"] == sorted(
        one.name for one in folder.path.iterdir()
    )
    with pytest.raises(BadInputError, match="no requirements to measure"):
        coverage_now(folder, None)


def test_unknown_checks_stop_a_run_before_it_begins(tmp_path: Path) -> None:
    """A check that does not exist is told with its line, before anything is released."""
    project = checkout(tmp_path / "project")
    text = REQUIREMENTS.replace("[rollout.promoted,", "[rollout.promotd,")
    (project / "docs" / "requirements.yaml").write_text(text)

    world = good()
    del world.files["pins.json"]
    with pytest.raises(BadInputError, match=r"line 4: R-1A-01: there is no check 'rollout.promotd'"):
        begin_coverage(save(world, tmp_path / "reports"), project)


def test_a_damaged_coverage_file_is_told_and_the_rest_is_worked_out(run: tuple[RunFolder, Path]) -> None:
    """What was said before is only compared with; it is not needed."""
    folder, project = run
    (folder.path / "coverage.json").write_text("{")

    again = coverage_now(folder, project)

    assert State.PROVED == states(again)["R-1A-01"]
    assert any("coverage.json cannot be read" in note for note in again.notes)


def test_a_manifest_that_cannot_be_read_leaves_nothing_to_believe(run: tuple[RunFolder, Path]) -> None:
    """A bundle whose list is damaged proves nothing."""
    folder, project = run
    (folder.path / "manifest.json").write_text("{")

    assert {State.NO_DATA} == {states(coverage_now(folder, project))[one] for one in PROVABLE}


def test_the_project_is_found_from_a_folder_within_it(tmp_path: Path) -> None:
    """The checkout is the one around the current folder."""
    project = checkout(tmp_path / "project")

    assert project == find_project(project / "docs" / "adr")
    assert find_project(tmp_path) is None


def test_a_project_without_git_is_walked(tmp_path: Path) -> None:
    """The same files are pinned with and without git; generated and hidden ones are left out."""
    tracked = project_files(checkout(tmp_path / "a"))
    plain = checkout(tmp_path / "b", git=False)
    (plain / ".venv").mkdir()
    (plain / ".venv" / "file.py").write_text("")

    assert tracked == project_files(plain)
    assert "k8s/rollout.yaml" in tracked
