"""What users felt around each change of weight, the abort and the promotion: counts, and data of a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollbook.bundle.run_record import PhaseRecord
from rollbook.domain.fates import WINDOW_S, Around, Change, ChangeKind, Fate, Tally, around, changes
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.weights import weight_changes
from rollbook.report import formats
from rollbook.report.tables import Cell, Column, Ref, Table, numbers, text
from rollbook.report.texts import short
from rollbook.report.timeline import CANARY, STABLE, figure, side_of

CHANGES_SHOWN = 12
BIN_S = 0.5
_TONES = {ChangeKind.PROMOTED: "good", ChangeKind.ABORTED: "bad", ChangeKind.WEIGHT: "plain"}


@dataclass(frozen=True)
class ChangeView:
    """Requests around one change in bins of `BIN_S` seconds from `begin_s` (before it, so not above 0) on.

    `stable` and `canary` count those that the side answered well, `failed` all that failed.
    """

    label: str
    tone: str
    begin_s: float
    end_s: float
    stable: tuple[int, ...]
    canary: tuple[int, ...]
    failed: tuple[int, ...]


@dataclass(frozen=True)
class FatesView:
    """All changes of one canary, in order; `sentence` sums them up."""

    changes: tuple[ChangeView, ...]
    table: Table
    sentence: str
    tone: str


def moments(phase: PhaseRecord, entries: Sequence[Entry]) -> tuple[Change, ...]:
    """The changes that the users of a phase could feel, from Argo's decisions in the journal."""
    ends: dict[str, float] = {}
    for entry in entries:
        if entry.kind is Kind.DECISION and entry.name in {"promoted", "aborted", "abort"}:
            ends.setdefault("promoted" if entry.name == "promoted" else "aborted", entry.time.timestamp())
    return changes(
        weight_changes(entries),
        stable=phase.stable.version,
        canary=phase.canary_version,
        promoted_s=ends.get("promoted"),
        aborted_s=ends.get("aborted"),
    )


def fates_view(
    phase: PhaseRecord,
    entries: Sequence[Entry],
    traffic: Sequence[RequestRecord],
    start_s: float,
    sources: tuple[Ref, ...],
) -> FatesView | None:
    """Lay out the changes of a phase; None without requests, or when nothing changed.

    `entries` are those of the phase, `start_s` is the start of its traffic, in seconds since the epoch.
    """
    found = around(traffic, moments(phase, entries)) if traffic else ()
    if not found:
        return None
    failed = sum(one.after.failed for one in found)
    hurt = sum(bool(one.after.failed) for one in found)
    before = sum(one.before.failed for one in found)
    if not failed and not before:
        sentence = f"No request failed within {WINDOW_S:g} seconds of any change."
    elif not failed:
        sentence = f"No request failed in the {WINDOW_S:g} seconds after any change."
    else:
        sentence = (
            f"Within {WINDOW_S:g} seconds after {formats.count(hurt)} of "
            f"{formats.counted(len(found), 'change')}, {formats.counted(failed, 'request')} failed."
        )
    shown = found[:CHANGES_SHOWN]
    return FatesView(
        changes=tuple(_change(one, phase, traffic) for one in shown),
        table=_table(shown, start_s, sources, left_out=len(found) - len(shown)),
        sentence=sentence,
        tone="warn" if failed else "good",
    )


def label(change: Change) -> str:
    """What a change is called: the weight that it set, or how it ended the rollout."""
    return formats.weight(change.weight) if change.kind is ChangeKind.WEIGHT else change.kind.value


def _change(one: Around, phase: PhaseRecord, traffic: Sequence[RequestRecord]) -> ChangeView:
    begin_s, end_s = (
        max(-WINDOW_S, one.before.start_s - one.change.at_s),
        min(WINDOW_S, one.after.end_s - one.change.at_s),
    )
    first, last = math.floor(begin_s / BIN_S), math.ceil(end_s / BIN_S)
    counts = {name: [0] * (last - first) for name in (STABLE, CANARY, "failed")}
    for record in traffic:
        offset_s = record.scheduled_s - one.change.at_s
        if begin_s <= offset_s < end_s:
            name = "failed" if record.failed else side_of(record, phase)
            counts[name][math.floor(offset_s / BIN_S) - first] += 1
    return ChangeView(
        label=label(one.change),
        tone=_TONES[one.change.kind],
        begin_s=first * BIN_S,
        end_s=figure(last * BIN_S),
        stable=tuple(counts[STABLE]),
        canary=tuple(counts[CANARY]),
        failed=tuple(counts["failed"]),
    )


def _table(found: Sequence[Around], start_s: float, sources: tuple[Ref, ...], *, left_out: int) -> Table:
    more = f" {formats.counted(left_out, 'more change')} are in the journal." if left_out else ""
    return Table(
        "Requests just before and just after each change, by what became of them",
        (
            *text("Change"),
            Column("Second", numeric=True),
            *numbers("Failed before", "Failed after", "Slowest after"),
            *text("What failed after it", "Last answer of the version that left"),
        ),
        tuple(
            (
                Cell(label(one.change)),
                Cell(f"{one.change.at_s - start_s:.1f}"),
                _failed(one.before),
                _failed(one.after),
                Cell(formats.seconds(one.after.slowest_s)),
                Cell(told_failures(one.after.by_version) or "nothing"),
                Cell(_last_answer(one)),
            )
            for one in found
        ),
        note=f"Requests that were due within {WINDOW_S:g} seconds before and after; a window ends at the "
        f"next change at the latest.{more}",
        sources=sources,
    )


def _failed(one: Tally) -> Cell:
    told = f"{formats.count(one.failed)} of {formats.count(one.sent)}"
    return Cell(told, "bad" if one.failed else "good" if one.sent else "")


def told_failures(by_version: Mapping[str, Mapping[Fate, int]]) -> str:
    """Failures in words: `12 × app error of 1.1.0, 1 × no endpoint`; empty when nothing failed."""
    return ", ".join(
        f"{formats.count(number)} × {fate.value}" + (f" of {short(version)}" if version else "")
        for version, found in by_version.items()
        for fate, number in found.items()
        if fate is not Fate.ANSWERED
    )


def _last_answer(one: Around) -> str:
    """When the version that users left answered for the last time, by the change; a dash where none left."""
    if one.last_answer_s is None:
        return formats.NONE
    later = one.last_answer_s - one.change.at_s
    when = f"{formats.seconds(later)} later" if later >= 0 else f"{formats.seconds(-later)} before it"
    return f"{short(one.change.leaving)}: {when}"
