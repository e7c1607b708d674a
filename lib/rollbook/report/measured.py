"""What was worked out of a run, as far as it can be read: coverage with its requirements, and replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rollbook.coverage import coverage_file, requirements_file
from rollbook.coverage.keeping import KEPT
from rollbook.coverage.model import Coverage
from rollbook.coverage.requirement import Requirements
from rollbook.errors import BadInputError, EvidenceInvalidError
from rollbook.report import replay_view
from rollbook.report.replay_view import Canary


@dataclass(frozen=True)
class Measured:
    """Coverage and requirements of a run, None where it has none; `problems` say what could not be read."""

    coverage: Coverage | None = None
    requirements: Requirements | None = None
    replay: Mapping[str, Canary] = field(default_factory=dict)
    """What other rules would have decided, by canary phase."""
    problems: tuple[str, ...] = ()


def read(root: Path, evidence_sha256: str) -> Measured:
    """The files of a run's folder. `evidence_sha256` is that of the evidence as it is now."""
    replay, odd = replay_view.read(root, evidence_sha256)
    problems: list[str] = [*odd]
    requirements = _requirements(root, problems)
    try:
        found = coverage_file.read(root)
    except EvidenceInvalidError as error:
        problems.append(f"The coverage is not shown: {error}.")
        found = None
    if found is None:
        return Measured(None, requirements, replay, tuple(problems))
    coverage, digest = found
    if digest != evidence_sha256:
        problems.append("The coverage was worked out from other evidence than there is now.")
    return Measured(_joined(coverage, requirements), requirements, replay, tuple(problems))


def _requirements(root: Path, problems: list[str]) -> Requirements | None:
    path = root / KEPT
    if not path.is_file():
        return None
    try:
        return requirements_file.load(path)
    except BadInputError as error:
        problems.append(f"The requirements are not shown: {error}.")
        return None


def _joined(coverage: Coverage, requirements: Requirements | None) -> Coverage:
    """Coverage with what `coverage.json` does not hold, such as implications."""
    known = {one.id: one for one in requirements.requirements} if requirements else {}
    return replace(
        coverage,
        results=tuple(
            replace(one, requirement=known.get(one.requirement.id, one.requirement))
            for one in coverage.results
        ),
    )
