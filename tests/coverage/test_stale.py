"""Evidence grows old when the text, the files or the code that it is about are changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.coverage.saved import REQUIREMENTS, sentence, states

from rollbook.coverage.keeping import coverage_now, finish_coverage
from rollbook.coverage.model import State
from rollbook.evidence.folder import RunFolder


@pytest.mark.parametrize(
    ("path", "requirement", "told"),
    [
        ("k8s/edge.yaml", "R-1A-01", "k8s/edge.yaml was changed"),
        ("k8s/rollout.yaml", "R-1A-02", "k8s/rollout.yaml was changed"),
        ("README.md", "R-7-05", "README.md was changed"),
    ],
)
def test_a_file_that_was_changed_makes_its_requirements_stale(
    run: tuple[RunFolder, Path], path: str, requirement: str, told: str
) -> None:
    """The evidence is of another file than the one that is there; the sentence names it."""
    folder, project = run
    (project / path).write_text("something else\n")

    again = coverage_now(folder, project)

    assert State.STALE == states(again)[requirement]
    assert told in sentence(again, requirement)
    others = {"k8s/edge.yaml": "R-1A-02"}.get(path, "R-1A-03")
    assert State.PROVED == states(again)[others]


def test_files_that_came_or_went_make_requirements_stale(run: tuple[RunFolder, Path]) -> None:
    """A new file of a pattern, and one that is gone, are told apart."""
    folder, project = run
    (project / "k8s" / "edge.yaml").unlink()
    (project / "k8s" / "new.yaml").write_text("kind: Service\n")
    shutil.rmtree(project / ".git")

    again = coverage_now(folder, project)

    assert State.STALE == states(again)["R-1A-01"]
    assert "k8s/edge.yaml was removed and k8s/new.yaml was added" in sentence(again, "R-1A-01")


def test_a_requirement_that_was_reworded_is_stale_and_a_new_one_too(run: tuple[RunFolder, Path]) -> None:
    """The evidence was taken for another sentence, or before there was one."""
    folder, project = run
    text = REQUIREMENTS.replace("A good version reaches all users.", "Every version reaches all users.")
    text = text.replace("R-1A-02", "R-1A-09")
    (project / "docs" / "requirements.yaml").write_text(text)

    again = coverage_now(folder, project)

    assert (State.STALE, State.STALE) == (states(again)["R-1A-01"], states(again)["R-1A-09"])
    assert "its text was changed" in sentence(again, "R-1A-01")
    assert "the requirement itself was written" in sentence(again, "R-1A-09")
    assert "R-1A-02" not in states(again)


def test_other_line_breaks_are_no_other_text(run: tuple[RunFolder, Path]) -> None:
    """A requirement that is only broken into lines elsewhere asks for the same."""
    folder, project = run
    folded = "text: >-\n      A good version\n      reaches all users."
    text = REQUIREMENTS.replace("text: A good version reaches all users.", folded)
    (project / "docs" / "requirements.yaml").write_text(text)

    assert State.PROVED == states(coverage_now(folder, project))["R-1A-01"]


def test_a_check_whose_code_was_changed_makes_its_findings_stale(run: tuple[RunFolder, Path]) -> None:
    """What another code said of the evidence is not what this code says."""
    folder, project = run
    pins = json.loads((folder.path / "pins.json").read_text())
    pins["checks"]["rollback.automatic"] = "0" * 64
    del pins["checks"]["docs.has_toc"]
    (folder.path / "pins.json").write_text(json.dumps(pins))

    again = coverage_now(folder, project)

    assert (State.STALE, State.STALE) == (states(again)["R-1A-02"], states(again)["R-7-05"])
    assert "the code of rollback.automatic was changed" in sentence(again, "R-1A-02")
    assert "the check docs.has_toc was written" in sentence(again, "R-7-05")
    assert State.PROVED == states(again)["R-1A-01"]


def test_files_are_compared_at_the_end_of_the_run_too(run: tuple[RunFolder, Path]) -> None:
    """A file that was changed while the run went is not the one that the run proved."""
    folder, project = run
    (project / "k8s" / "rollout.yaml").write_text("kind: Deployment\n")
    (project / "docs" / "requirements.yaml").write_text("requirements: [")

    found = finish_coverage(folder, project)

    assert found is not None
    assert State.STALE == states(found)["R-1A-02"]
    assert "its text was changed and k8s/rollout.yaml was changed" in sentence(found, "R-1A-02")
