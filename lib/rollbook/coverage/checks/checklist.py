"""The checklist of requirements as a file of the project: is it whole, and does it say what it should?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rollbook.coverage.lookup import Bundle, Refs, failed, judged, proved
from rollbook.coverage.model import Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import project_yaml

PATH = "docs/requirements.yaml"
EARLY_LAYERS = {"must-have", "strategic-core"}
SHORTEST_WORDS = 4
_LINES = re.compile(r"L(\d+)(?:-L?(\d+))?")


def _file(bundle: Bundle) -> tuple[Mapping[str, Any], tuple[Mapping[str, Any], ...], Refs]:
    found, refs = project_yaml(bundle, PATH)
    return found, tuple(found["requirements"]), refs


@check("requirements.kinds_present")
def kinds_present(bundle: Bundle, kinds: Sequence[str]) -> Finding:
    """The checklist has requirements of each of these kinds."""
    _, found, refs = _file(bundle)
    counts = {kind: sum(row["kind"] == kind for row in found) for kind in kinds}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return judged(all(counts.values()) and bool(counts), f"The checklist has {told} requirements.", *refs)


@check("requirements.have_implications")
def have_implications(bundle: Bundle) -> Finding:
    """Each requirement says what it means for the design."""
    _, found, refs = _file(bundle)
    bare = [
        str(row["id"])
        for row in found
        if not any(len(str(one).split()) >= SHORTEST_WORDS for one in row.get("implications") or ())
    ]
    if bare or not found:
        return failed(f"Without an implication: {', '.join(bare) or 'all'}.", *refs)
    count = sum(len(row["implications"]) for row in found)
    return proved(f"{len(found)} requirements have {count} implications.", *refs)


@check("requirements.contradictions_have_stance")
def contradictions_have_stance(bundle: Bundle) -> Finding:
    """Each contradiction names requirements that exist, and the stance that was taken."""
    file, found, refs = _file(bundle)
    ids = {str(row["id"]) for row in found}
    contradictions = file.get("contradictions") or ()
    for one in contradictions:
        strange = sorted(set(map(str, one["between"])) - ids)
        if strange or len(one["between"]) < 2:
            return failed(f"{one['id']} is not between requirements: {', '.join(strange)}.", *refs)
        if min(len(str(one[key]).split()) for key in ("tension", "stance")) < SHORTEST_WORDS:
            return failed(f"{one['id']} says no tension or no stance.", *refs)
    sentence = f"{len(contradictions)} contradictions are told, each with a stance."
    return judged(bool(contradictions), sentence, *refs)


@check("requirements.each_checked_or_decided")
def each_checked_or_decided(bundle: Bundle) -> Finding:
    """Each requirement has a check, or a person's decision with a reason."""
    _, found, refs = _file(bundle)
    open_ = [
        str(row["id"])
        for row in found
        if not row.get("checks") and not (row.get("decision") or {}).get("why")
    ]
    if open_ or not found:
        return failed(f"Neither checked nor decided: {', '.join(open_) or 'all'}.", *refs)
    decided = sum(bool(row.get("decision")) for row in found)
    return proved(f"{len(found) - decided} requirements are checked, {decided} decided by a person.", *refs)


@check("requirements.lines_covered")
def lines_covered(bundle: Bundle) -> Finding:
    """Each line of the plan is the source of a requirement, or is listed as one that asks for nothing."""
    file, found, refs = _file(bundle)
    source = file["source"]
    taken = {line for row in found for line in _lines(str(row["source"]))}
    silent = {line for one in source["silent"] for line in _lines(str(one))}
    count = int(source["lines"])
    missing = sorted(set(range(1, count + 1)) - taken - silent)
    if missing:
        return failed(f"Nobody looked at line {', '.join(map(str, missing[:10]))} of the plan.", *refs)
    return proved(
        f"{len(taken)} of {count} lines ask for something, {len(silent - taken)} for nothing.", *refs
    )


def _lines(source: str) -> set[int]:
    return {
        line for first, last in _LINES.findall(source) for line in range(int(first), int(last or first) + 1)
    }


@check("requirements.bonus_in_later_layers")
def bonus_in_later_layers(bundle: Bundle) -> Finding:
    """Bonus requirements are kept like all others, and stand in later layers than the must-haves."""
    _, found, refs = _file(bundle)
    bonus = [row for row in found if row["kind"] == "bonus"]
    early = [str(row["id"]) for row in bonus if row["layer"] in EARLY_LAYERS]
    if early or not bonus:
        return failed(f"Bonus in an early layer: {', '.join(early) or 'there is none at all'}.", *refs)
    return proved(f"{len(bonus)} bonus requirements stand in later layers.", *refs)
