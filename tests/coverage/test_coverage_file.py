"""coverage.json: written, read again, described, and not believed when it contradicts itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rollbook.coverage import coverage_file
from rollbook.coverage.coverage_file import parse, schema, to_json
from rollbook.coverage.model import Coverage, Delivery, EvidenceRef, Finding, Result, State
from rollbook.coverage.requirement import Kind, Requirement
from rollbook.errors import EvidenceInvalidError

ROOT = Path(__file__).parents[2]
DIGEST = "ab" * 32


def coverage() -> Coverage:
    def result(number: int, state: State, delivery: Delivery) -> Result:
        requirement = Requirement(
            f"R-7-0{number}", "Text \U0001f600 </script>", Kind.BONUS, "7", "flair", "L1", (), "via"
        )
        ref = EvidenceRef("run.json", "0" * 64, "what")
        finding = Finding("file.tree", {"paths": ["a", "b"]}, state, "Found.", (ref,), emulated=True)
        return Result(requirement, state, delivery, "A sentence.", (finding,))

    results = (
        result(1, State.PROVED, Delivery.IMPLEMENTED),
        result(2, State.FAILED, Delivery.STUBBED),
        result(3, State.FAILED, Delivery.SKIPPED),
    )
    return Coverage(results, "hello-1", ("A note.",))


def written(**changes: Any) -> bytes:
    return json.dumps({**to_json(coverage(), DIGEST), **changes}).encode()


def test_what_is_written_is_what_is_read() -> None:
    """States, findings, evidence and notes come out as they went in."""
    assert (coverage(), DIGEST) == parse(written())


def test_totals_count_every_state_and_every_word() -> None:
    """Those that no requirement is in are there with 0, so that readers need no defaults."""
    totals = to_json(coverage(), DIGEST)["totals"]

    assert 3 == totals["requirements"]
    assert {state.value for state in State} == set(totals["states"])
    assert (1, 2, 0) == (totals["states"]["proved"], totals["states"]["failed"], totals["states"]["stale"])
    assert {"implemented": 1, "stubbed": 1, "skipped": 1} == totals["delivery"]


def test_totals_that_are_not_those_of_the_rows_are_not_believed() -> None:
    """Somebody who edits a state has to do it twice, and is found."""
    raw = to_json(coverage(), DIGEST)
    raw["requirements"][1]["state"] = "proved"

    with pytest.raises(EvidenceInvalidError, match="its totals are not those"):
        parse(json.dumps(raw).encode())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (written(requirements="none"), "requirements: "),
        (written(v="one"), "v: "),
        (written(v=coverage_file.SCHEMA + 1), "newer rollbook"),
    ],
)
def test_a_file_that_is_none_is_told(content: bytes, why: str) -> None:
    """Whatever stands in the file, the complaint is one of ours."""
    with pytest.raises(EvidenceInvalidError) as caught:
        parse(content)

    assert why in f"{caught.value.what} {caught.value.why}"


def test_keys_that_a_later_version_adds_are_passed_over() -> None:
    """The file may grow without breaking those who read it."""
    assert coverage() == parse(written(more={"a": 1}))[0]


def test_a_folder_without_the_file_has_no_coverage(tmp_path: Path) -> None:
    """No file is no error: runs of other projects have none."""
    assert coverage_file.read(tmp_path) is None
    (tmp_path / "coverage.json").mkdir()
    with pytest.raises(EvidenceInvalidError, match="cannot be read"):
        coverage_file.read(tmp_path)


def test_the_schema_in_docs_is_that_of_the_code() -> None:
    """docs/coverage.schema.json is generated; this says when it is old, and how to make it again."""
    kept = json.loads((ROOT / "docs" / "coverage.schema.json").read_text())

    assert schema() == kept, "python -m rollbook.coverage.schema_document > docs/coverage.schema.json"
