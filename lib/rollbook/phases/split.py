"""Did users see the split that Argo had set? From the record of this run's canaries alone."""

from __future__ import annotations

from rollbook.domain.accounting import observed_splits
from rollbook.evidence.attempts import latest_attempts
from rollbook.evidence.requests import read_log
from rollbook.evidence.weights import stretches
from rollbook.phases.context import PhaseContext
from rollbook.phases.validate import Gate, written


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


def _gate(ctx: PhaseContext, phase: str, version: str) -> Gate:
    records = read_log(ctx.folder.traffic_log(phase))
    entries = [entry for entry in latest_attempts(ctx.journal.entries()) if entry.phase == phase]
    start_s = min((record.scheduled_s for record in records), default=0.0)
    end_s = max((record.ended_s for record in records), default=0.0)
    splits = observed_splits(records, stretches(entries, start_s=start_s, end_s=end_s), canary=version)
    judged = [split for split in splits if split.agrees is not None]
    wrong = [split for split in judged if not split.agrees]
    seen = ", ".join(
        f"{split.share * 100:.3g} % of {split.answered:,} requests at weight {split.interval.weight:g} %"
        for split in judged
        if split.share is not None
    )
    name = f"traffic split of {phase}"
    files = (ctx.folder.traffic_log(phase).relative_to(ctx.folder.path).as_posix(),)
    if not judged:
        return written(
            ctx,
            Gate(
                name,
                None,
                "weights that users saw",
                "no stretch long enough",
                f"{phase} had no stretch of one weight that was long enough to judge",
                files,
            ),
        )
    return written(
        ctx,
        Gate(
            name,
            not wrong,
            ", ".join(f"{split.interval.weight:g} %" for split in judged),
            seen,
            f"the canary answered {seen}; "
            f"{len(judged) - len(wrong)} of {len(judged)} shares lie in their 99.9 % interval",
        ),
    )
