"""docs/rtm.md: what became of each requirement, in a table that survives hostile text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.coverage.good_world import good
from tests.coverage.saved import judged

from rollbook.coverage import telling
from rollbook.coverage.coverage_file import read
from rollbook.coverage.model import Coverage, Delivery, Result, State
from rollbook.coverage.requirement import Kind, Requirement, Requirements
from rollbook.coverage.rtm import rtm_markdown
from rollbook.errors import BadInputError
from rollbook.evidence.folder import RunFolder


def rows(markdown: str) -> list[list[str]]:
    """Cells of the rows of requirements."""
    lines = [line for line in markdown.splitlines() if line.startswith("| R-")]
    return [re.split(r" \| ", line.strip("| ")) for line in lines]


def test_each_requirement_has_a_row_with_word_state_via_and_why(tmp_path: Path) -> None:
    """X was implemented via Y; if not, why."""
    folder, _, found = judged(good(), tmp_path)

    markdown = telling.rtm(folder)

    table = {row[0].partition(":")[0]: row for row in rows(markdown)}
    assert len(found.results) == len(table)
    assert ["implemented (proved)", "Argo Rollouts (k8s/rollout.yaml)"] == table["R-1A-01"][1:3]
    assert "stubbed (proved)" == table["R-1A-03"][1]
    assert "There is no camera. Instead: A report with pictures." == table["R-7-07"][3]
    assert "| implemented | 4 | proved by evidence of the run |" in markdown


def test_the_document_names_the_evidence_that_it_is_made_from(tmp_path: Path) -> None:
    """A test can say when it is old, and a reader can verify the run."""
    folder, _, _ = judged(good(), tmp_path)
    written = read(folder.path)

    markdown = telling.rtm(folder)

    assert written is not None
    assert f"<!-- evidence sha256:{written[1]} -->" in markdown
    assert "Generated" in markdown
    assert markdown == telling.rtm(folder)
    links = re.findall(r"\]\(\.\./reports/hello-20260305-093000/([^)]+)\)", markdown)
    assert links
    assert all((folder.path / link).is_file() for link in links)


def test_marks_of_markdown_and_html_are_shown_as_they_are() -> None:
    """Text of a requirement or of evidence cannot break out of its cell."""
    hostile = "a | b\n<script>x</script> \x1b[31m\u202e`c` \\"
    requirement = Requirement("R-7-01", hostile, Kind.BONUS, "7", "flair", "L1", (), hostile)
    result = Result(requirement, State.FAILED, Delivery.SKIPPED, hostile)

    markdown = rtm_markdown(
        Coverage((result,), "r", (hostile,)),
        Requirements("", (requirement,), ()),
        run="r",
        evidence_sha256="0",
    )

    (row,) = rows(markdown)
    assert 4 == len(row)
    assert "<script" not in markdown.replace("\\<script", "")
    assert "\x1b" not in markdown
    assert "\u202e" not in markdown


def test_a_run_without_coverage_makes_no_matrix(tmp_path: Path) -> None:
    """It is told why, and nothing is made up."""
    folder = RunFolder.create(tmp_path, "hello-1")
    folder.write_run({"id": "hello-1"})

    with pytest.raises(BadInputError, match=r"has no coverage\.json"):
        telling.rtm(folder)
