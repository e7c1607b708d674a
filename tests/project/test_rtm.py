"""docs/rtm.md is made from the sample run, and not old."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.bundle.manifest import evidence_sha256
from rollbook.coverage import coverage_file, telling
from rollbook.evidence.folder import RunFolder

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "reports" / "sample"
RTM = ROOT / "docs" / "rtm.md"

pytestmark = pytest.mark.skipif(
    not (SAMPLE / "coverage.json").is_file(), reason="reports/sample has no coverage.json yet"
)


def test_the_matrix_is_that_of_the_sample() -> None:
    """Made again from the sample, docs/rtm.md is the same."""
    made = telling.rtm(RunFolder.open(SAMPLE))

    assert made == RTM.read_text(encoding="utf-8"), "rollbook coverage reports/sample --rtm > docs/rtm.md"


def test_the_coverage_of_the_sample_is_about_its_evidence() -> None:
    """The digest in coverage.json is the one over the evidence that lies beside it."""
    written = coverage_file.read(SAMPLE)

    assert written is not None
    assert evidence_sha256(SAMPLE) == written[1]
