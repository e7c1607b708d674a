"""An A/B test: its variants, what their users did, and what the judge said at each look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rollbook.bundle.run_record import PhaseRecord
from rollbook.domain.judging import EXPERIMENT_JUDGED, EXPERIMENT_LOOK, SOURCE
from rollbook.evidence.journal import Entry, Kind
from rollbook.report import formats
from rollbook.report.places import Places
from rollbook.report.tables import Cell, Ref, Table, numbers, text
from rollbook.report.texts import short
from rollbook.report.timeline import figure

LOOKS_LISTED = 120
POINTS_DRAWN = 200
SENTENCE = 400
WORDS = {
    "a": ("a converts more", "good"),
    "b": ("b converts more", "good"),
    "no-difference": ("no difference that matters", "good"),
    "undecided": ("undecided", "warn"),
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Arm(_Part):
    users: int = Field(ge=0)
    conversions: int = Field(ge=0)
    low: float
    high: float


class _Look(_Part):
    at_s: float
    verdict: str
    a: _Arm
    b: _Arm
    e_a: float
    e_b: float
    e_within: float
    low: float
    high: float
    first_s: float | None = None
    sentence: str = ""
    alpha: float = Field(0.05, gt=0, le=1)
    effect: float = 0.0


class _Plan(_Part):
    a: str = ""
    b: str = ""
    rates: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True)
class RateLine:
    """One variant's rate over time: `(second, rate, low, high)`, shares between 0 and 1."""

    variant: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class ExperimentView:
    """One experiment as the page tells it. `verdict` is empty when it came to no look."""

    name: str
    anchor: str
    outcome: str
    verdict: str
    tone: str
    sentence: str
    how: str
    """How it was judged, and who its users were."""
    variants: Table | None
    looks: Table | None
    lines: tuple[RateLine, ...]
    sources: tuple[Ref, ...]


def experiment_views(
    phases: Sequence[PhaseRecord], entries: Sequence[Entry], places: Places
) -> tuple[ExperimentView, ...]:
    """The experiments of a run, in order."""
    ran = [one for one in phases if "experiment" in (one.phase, one.runbook) and one.outcome != "skipped"]
    return tuple(
        _view(phase, [one for one in entries if one.phase == phase.name], number, places)
        for number, phase in enumerate(ran)
    )


def _view(phase: PhaseRecord, entries: Sequence[Entry], number: int, places: Places) -> ExperimentView:
    looks = [found for one in entries if (found := _read(one, Kind.OBSERVATION, EXPERIMENT_LOOK))]
    judged = [found for one in entries if (found := _read(one, Kind.DECISION, EXPERIMENT_JUDGED))]
    last = judged[-1] if judged else looks[-1] if looks else None
    plan = _planned(entries)
    word, tone = WORDS.get(last.verdict, ("", "warn")) if last else ("", "warn")
    sources = (*places.file(f"traffic/{phase.name}.csv"), *places.file("journal.jsonl"))
    return ExperimentView(
        name=short(phase.name),
        anchor=f"experiment-{number}",
        outcome=short(phase.outcome or ""),
        verdict=word,
        tone=tone if phase.outcome == "passed" else "bad",
        sentence=short(phase.sentence or (last.sentence if last else ""), SENTENCE),
        how=_how(last, plan) if last else "",
        variants=_variants(last, plan, sources) if last else None,
        looks=_looks(looks, places) if looks else None,
        lines=_lines(looks),
        sources=sources,
    )


def _read(entry: Entry, kind: Kind, name: str) -> _Look | None:
    """A look of the journal; None for anything else, and for what cannot be read."""
    if (entry.kind, entry.source, entry.name) != (kind, SOURCE, name):
        return None
    try:
        return _Look.model_validate(dict(entry.data))
    except ValidationError:
        return None


def _planned(entries: Sequence[Entry]) -> _Plan:
    for one in entries:
        if one.kind is Kind.STEP and one.name == "plan":
            try:
                return _Plan.model_validate(dict(one.data))
            except ValidationError:
                break
    return _Plan()


def _how(last: _Look, plan: _Plan) -> str:
    rates = [rate for rate in plan.rates if rate is not None]
    who = (
        f"Users are simulated: each has an id, by a hash of which {formats.share(rates[0])} convert on a and "
        f"{formats.share(rates[1])} on b. "
        if len(rates) == 2
        else ""
    )
    when = f" The verdict fell at second {last.first_s:.0f}." if last.first_s is not None else ""
    return (
        f"{who}Each user has one variant, at every visit, and counts once. With equal variants at most "
        f"{formats.share(last.alpha)} of experiments name a winner, however often one looks; a difference "
        f"below {last.effect * 100:.3g} percentage points does not matter.{when}"
    )


def _variants(last: _Look, plan: _Plan, sources: tuple[Ref, ...]) -> Table:
    rows = tuple(
        (
            Cell(name),
            Cell(short(version)),
            Cell(formats.count(arm.users)),
            Cell(formats.count(arm.conversions)),
            Cell(formats.share(arm.conversions / arm.users) if arm.users else formats.NONE),
            Cell(f"{arm.low * 100:.1f} to {arm.high * 100:.1f} %"),
            Cell(formats.number(evidence, 3)),
        )
        for name, version, arm, evidence in (
            ("a", plan.a, last.a, last.e_a),
            ("b", plan.b, last.b, last.e_b),
        )
    )
    return Table(
        "Users of both variants, each counted once",
        (*text("Variant", "Version"), *numbers("Users", "Converted", "Rate", "Interval", "e-value")),
        rows,
        note="The interval holds the rate at every look. The e-value is evidence that this variant has the "
        f"higher rate: on average at most 1 while it has not; a winner needs {2 / last.alpha:.3g}. "
        f"b's rate less a's is between {last.low * 100:+.1f} and {last.high * 100:+.1f} percentage points, "
        "which is worked out from the two intervals alone, and so wider than what names the winner.",
        sources=sources,
    )


def _looks(looks: Sequence[_Look], places: Places) -> Table:
    more = len(looks) - LOOKS_LISTED
    return Table(
        "What the judge said at each look",
        (
            *numbers("Second"),
            *text("Verdict"),
            *numbers("a: converted", "b: converted", "e-value of a", "e-value of b", "of no difference"),
        ),
        tuple(
            (
                Cell(f"{one.at_s:.0f}"),
                Cell(short(one.verdict), WORDS.get(one.verdict, ("", ""))[1]),
                Cell(f"{one.a.conversions:,} of {one.a.users:,}"),
                Cell(f"{one.b.conversions:,} of {one.b.users:,}"),
                Cell(formats.number(one.e_a, 3)),
                Cell(formats.number(one.e_b, 3)),
                Cell(formats.number(one.e_within, 3)),
            )
            for one in looks[:LOOKS_LISTED]
        ),
        note=f"And {more} more in journal.jsonl." if more > 0 else "",
        sources=places.file("journal.jsonl"),
    )


def _lines(looks: Sequence[_Look]) -> tuple[RateLine, ...]:
    """Both rates over time, thinned to what can be drawn; empty until both variants had users."""
    both = [one for one in looks if one.a.users and one.b.users]
    kept = both[:: len(both) // POINTS_DRAWN + 1]
    if not kept:
        return ()
    sides = [("a", [(one.at_s, one.a) for one in kept]), ("b", [(one.at_s, one.b) for one in kept])]
    return tuple(
        RateLine(
            name,
            tuple(
                (figure(at), figure(arm.conversions / arm.users), figure(arm.low), figure(arm.high))
                for at, arm in points
            ),
        )
        for name, points in sides
    )
