"""Did users see the split that Argo had set? From the record of this run's canaries alone."""

from __future__ import annotations

from datetime import datetime

from rollbook.domain.accounting import WeightInterval, observed_splits
from rollbook.evidence.journal import Kind
from rollbook.evidence.record import RunRecord
from rollbook.evidence.requests import read_log
from rollbook.phases.context import PhaseContext
from rollbook.phases.validate import Gate, written

SHORTEST_S = 5.0
"""A stretch shorter than this has too few requests after settling to say anything."""


def gates(ctx: PhaseContext) -> tuple[Gate, ...]:
    """One gate a canary of this run: every stretch of constant weight must agree with what users saw."""
    run = ctx.folder.read_run()
    canaries = [phase for phase in run["phases"] if phase.get("canary")]
    if not canaries:
        return (
            written(
                ctx,
                Gate(
                    "traffic split",
                    None,
                    "weights that users saw",
                    "no canary in this run",
                    "this run holds no canary, so there is no split to compare",
                ),
            ),
        )
    return tuple(_gate(ctx, phase["name"], str(phase["canary"]["version"])) for phase in canaries)


def intervals(ctx: PhaseContext, phase: str) -> tuple[WeightInterval, ...]:
    """The stretches of constant weight of a phase, from the weights that Argo set, 0 included."""
    record = RunRecord(ctx.folder).phase(phase) or {}
    changes = [
        (entry.time.timestamp(), float(entry.data["weight"]))
        for entry in ctx.journal.entries()
        if entry.phase == phase and entry.kind is Kind.DECISION and entry.name == "weight"
    ]
    decided = record.get("decided")
    if not changes or not decided:
        return ()
    # A promotion ends the split: both Services then select the same pods, whatever the weight says.
    end = datetime.fromisoformat(decided).timestamp()
    moments = [*(moment for moment, _ in changes if moment < end), end]
    return tuple(
        WeightInterval(start, stop, weight)
        for (start, weight), stop in zip(changes, moments[1:], strict=False)
        if stop - start >= SHORTEST_S
    )


def _gate(ctx: PhaseContext, phase: str, version: str) -> Gate:
    records = read_log(ctx.folder.traffic_log(phase))
    splits = observed_splits(records, intervals(ctx, phase), canary=version)
    judged = [split for split in splits if split.agrees is not None]
    wrong = [split for split in judged if not split.agrees]
    seen = ", ".join(
        f"{split.interval.weight:g} %: {split.share:.1%} of {split.answered}"
        for split in judged
        if split.share is not None
    )
    name = f"traffic split of {phase}"
    if not judged:
        return written(
            ctx,
            Gate(
                name,
                None,
                "weights that users saw",
                "no stretch long enough",
                f"{phase} had no stretch of one weight that was long enough to judge",
            ),
        )
    return written(
        ctx,
        Gate(
            name,
            not wrong,
            ", ".join(f"{split.interval.weight:g} %" for split in judged),
            seen,
            f"users saw {seen}; {len(judged) - len(wrong)} of {len(judged)} within the 99.9 % interval",
        ),
    )
