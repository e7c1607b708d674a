"""What the run asked of AWS, and whether it could cost anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.bundle.run_record import ComponentRecord, RunRecord
from rollbook.evidence.answers import Answer
from rollbook.report import formats
from rollbook.report.estimate_view import EstimateView, estimate_view
from rollbook.report.places import Places
from rollbook.report.tables import Cell, Table, capped, numbers, text
from rollbook.report.texts import short

OPERATIONS_LISTED = 60


@dataclass(frozen=True)
class CostView:
    """A sentence about money, the calls to AWS by operation, and what the target is estimated to cost.

    The last two are None where the record holds none.
    """

    sentence: str
    tone: str
    calls: Table | None
    estimate: EstimateView | None = None


def cost_view(run: RunRecord, answers: Sequence[Answer], places: Places) -> CostView:
    """Say plainly whether AWS was real; of what real calls cost, the record holds estimates at most."""
    calls = [one for one in answers if one.asked.of.startswith("aws")]
    parts = [part for part in run.components if part.name.lower().startswith("aws") or "AWS" in part.detail]
    emulators = [part for part in parts if part.emulated]
    # A call that names no endpoint went to AWS's own.
    real = [one for one in calls if not one.asked.parameters.get("endpoint_url")]
    if real:
        tone = "warn"
        sentence = (
            f"Real AWS: {formats.counted(len(real), 'answer')} of its own endpoints are on record. "
            "What it cost is not measured here: the bill of the account says."
        )
    elif (calls or parts) and len(emulators) == len(parts):
        names = ", ".join(dict.fromkeys(_named(part) for part in emulators if part.version)) or "An emulator"
        tone, sentence = "good", f"Emulated: no cost. {names} stood in for AWS, and no AWS account was used."
    elif parts:
        tone = "warn"
        sentence = "Not all of AWS is known to have been emulated, and what it cost is not measured here."
    else:
        tone, sentence = "muted", "Nothing of AWS is on record in this run, neither real nor emulated."
    return CostView(sentence, tone, _calls(calls, places) if calls else None, estimate_view(answers, places))


def _named(part: ComponentRecord) -> str:
    return f"{short(part.name)} {short(part.version)}"


def _calls(calls: Sequence[Answer], places: Places) -> Table:
    counted = Counter((one.asked.of, one.asked.call) for one in calls)
    last = {(one.asked.of, one.asked.call): one.id for one in calls}
    rows, note = capped(
        [
            (
                Cell(short(call)),
                Cell(short(of)),
                Cell(formats.count(number)),
                Cell(refs=places.record(last[of, call])),
            )
            for (of, call), number in sorted(counted.items())
        ],
        OPERATIONS_LISTED,
        "evidence/",
    )
    columns = (*text("Operation", "Asked of"), *numbers("Answers kept"), *text("Last record"))
    remark = (
        "An answer that equals the one before is kept once, so there may have been more calls than these."
    )
    return Table("Calls to AWS", columns, rows, f"{note} {remark}".strip())
