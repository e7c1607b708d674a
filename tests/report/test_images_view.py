"""The images of a run in the report."""

from __future__ import annotations

from dataclasses import replace

from rollbook.bundle.images import Described
from rollbook.bundle.load import Evidence
from rollbook.bundle.run_record import PhaseRecord, RunRecord
from rollbook.evidence.seal import Seal, SealState
from rollbook.report.images_view import image_table
from rollbook.report.places import Places

PLACES = Places(Evidence("run", RunRecord(), (), SealState(Seal.OPEN, ""), ()))
ONE, TWO = "1" * 64, "2" * 64
FOUND = Described(ONE, 217, 8, (ONE,), (ONE,), "a", "a", "c" * 40, changed=False)


def released(name: str, digest: str) -> PhaseRecord:
    return PhaseRecord.model_validate({"name": name, "release": {"digest": f"sha256:{digest}"}})


def rows(*phases: PhaseRecord, **images: Described | None) -> list[list[str]]:
    """The texts of the table's rows; none when there is no table."""
    found = image_table(
        phases, {{"one": ONE, "two": TWO}[name]: image for name, image in images.items()}, PLACES
    )
    return [[cell.text for cell in row] for row in found.rows] if found else []


def test_an_image_is_told_once() -> None:
    """Digest, number of components and packages, and the commit; by the first phase that released it."""
    found = rows(released("deploy", ONE), released("canary", ONE), one=FOUND)

    assert [["deploy", f"sha256:{ONE}", "217", "8", "c" * 40, ""]] == found


def test_what_is_wrong_is_told() -> None:
    """An inventory of another image, sources with changes, and files that cannot be read."""
    other = replace(FOUND, inventory_about=(TWO,))
    changed = replace(FOUND, changed=True)

    assert "it is about another image" == rows(released("deploy", ONE), one=other)[0][4]
    assert f"{'c' * 40} with changes" == rows(released("deploy", ONE), one=changed)[0][4]
    assert "cannot be read" == rows(released("canary", TWO), two=None)[0][4]


def test_a_run_without_inventories_says_nothing() -> None:
    """Images that were built elsewhere have no row."""
    assert [] == rows(released("deploy", ONE))
    assert [] == rows(one=FOUND)
