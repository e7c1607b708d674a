"""What other rules would have decided over a canary, from the run's `replay.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from rollbook.report import formats
from rollbook.report.places import Places
from rollbook.report.tables import Cell, Table, numbers, text
from rollbook.report.texts import short

NAME = "replay.json"
LARGEST_BYTES = 4_000_000
RULES_LISTED = 20
SENTENCE = 300
WOULD = {"abort": "abort", "pause": "pause", "promote": "promote", "": "go on"}
TONES = {"detected": "good", "missed": "bad", "false alarm": "bad", "held": "warn"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Decided(_Part):
    """What one rule would have done; seconds since users first met the new version."""

    rule: str
    does: str = ""
    after_s: float | None = None
    answers: int = 0
    failed: int = 0
    why: str = ""
    outcome: str | None = None


class Canary(_Part):
    """One canary with its decisions."""

    phase: str
    decisions: tuple[Decided, ...] = ()


class _File(_Part):
    canaries: tuple[Canary, ...] = ()
    evidence_sha256: str = ""


def read(root: Path, evidence_sha256: str) -> tuple[Mapping[str, Canary], tuple[str, ...]]:
    """Canaries by phase, and sentences about what cannot be shown. A run without the file has none."""
    path = root / NAME
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return {}, (f"{NAME} is not shown: it is far too large.",)
        found = _File.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}, ()
    except (OSError, ValueError, ValidationError, RecursionError) as error:
        return {}, (f"{NAME} is not shown: it cannot be read ({type(error).__name__}).",)
    problems = []
    if found.evidence_sha256 != evidence_sha256:
        problems.append(f"{NAME} was worked out from other evidence than there is now.")
    return {one.phase: one for one in found.canaries}, tuple(problems)


def replay_table(canary: Canary | None, places: Places) -> Table | None:
    """One row a rule, what really happened first. None where nothing was replayed."""
    if canary is None or not canary.decisions:
        return None
    return Table(
        "What other rules would have decided over the very same requests",
        (
            *text("Rule", "Decision"),
            *numbers("After", "Answers", "Failed"),
            *text("Worth", "Why"),
        ),
        tuple(_row(one) for one in canary.decisions[:RULES_LISTED]),
        note="Seconds since users first met the new version. Answers, and those that failed, are the new "
        "version's up to the decision; what is in flight at an abort comes on top. Not known: the canary had "
        "been ended before the rule decided.",
        sources=(*places.file(f"traffic/{canary.phase}.csv"), *places.file("journal.jsonl")),
    )


def _row(one: Decided) -> tuple[Cell, ...]:
    return (
        Cell(short(one.rule)),
        Cell(WOULD.get(one.does, short(one.does))),
        Cell("" if one.after_s is None else formats.seconds(one.after_s)),
        Cell(f"{one.answers:,}"),
        Cell(f"{one.failed:,}"),
        Cell(short(one.outcome or ""), tone=TONES.get(one.outcome or "", "")),
        Cell(short(one.why, SENTENCE)),
    )
