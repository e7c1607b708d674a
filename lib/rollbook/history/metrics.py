"""The figures of two runs side by side, with what is noise said to be noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rollbook.domain.accounting import percentile
from rollbook.history.changes import Difference
from rollbook.history.facts import PhaseFacts, RunFacts, SideFacts
from rollbook.history.look import formats
from rollbook.history.noise import P95_STEP_S, Change, Judged, judge_duration, judge_p95, judge_share
from rollbook.history.record import duration_s, finite
from rollbook.report.timeline import CANARY, EDGE, SIDES, STABLE

ONE_EACH = "measured once in each run"


def of_runs(before: RunFacts, after: RunFacts) -> tuple[Difference, ...]:
    """Figures of each phase that both runs have, then of the runs as a whole."""
    found: list[Difference] = []
    for name in after.phases:
        if name in before.phases:
            found += _of_phase(name, before.phases[name], after.phases[name])
    if _reached(before) == _reached(after):  # a run of other phases takes another time
        old, new = before.run, after.run
        own = finite(old.timing.own_s), finite(new.timing.own_s)
        found += _duration("", "duration", duration_s(old), duration_s(new), ("longer", "shorter"))
        found += _duration("", "rollbook's own time", own[0], own[1], ("longer", "shorter"))
    return tuple(found)


def _reached(facts: RunFacts) -> frozenset[str]:
    return frozenset(name for name, phase in facts.phases.items() if phase.record.started)


def _of_phase(name: str, old: PhaseFacts, new: PhaseFacts) -> Iterable[Difference]:
    if old.sides or new.sides:
        yield _requests(name, old, new)
        yield _failed(name, "failed", _every(old), _every(new))
        for side in SIDES:
            if side in old.sides or side in new.sides:
                yield from _of_side(name, side, old, new)
    look_s = max(old.look_s, new.look_s)
    yield from _duration(name, "time to detect", old.detect_s, new.detect_s, ("slower", "faster"), look_s)
    yield from _duration(name, "time to roll back", old.roll_back_s, new.roll_back_s, ("slower", "faster"))
    yield from _duration(
        name, "duration", finite(old.record.seconds), finite(new.record.seconds), ("longer", "shorter")
    )


def _of_side(name: str, side: str, old: PhaseFacts, new: PhaseFacts) -> Iterable[Difference]:
    if side == EDGE:
        # What no version answered is failed as a whole: its share is one of all that was sent.
        lost = [(_counts(one, EDGE)[1], _every(one)[1]) for one in (old, new)]
        yield _failed(name, "answered by no version", lost[0], lost[1])
        return
    yield _failed(name, f"failed on {side}", _counts(old, side), _counts(new, side))
    yield _p95(name, side, old, new)


def _requests(name: str, old: PhaseFacts, new: PhaseFacts) -> Difference:
    sent = [_every(one)[1] for one in (old, new)]
    words = "more sent" if sent[1] > sent[0] else "fewer sent"
    same = sent[0] == sent[1]
    return Difference(
        name,
        "requests",
        before=formats.count(sent[0]),
        after=formats.count(sent[1]),
        change=Change.SAME if same else Change.DIFFERENT,
        word="same" if same else words,
        basis="they follow from rate and duration",
        values=(sent[0], sent[1]),
    )


def _failed(name: str, title: str, old: tuple[int, int], new: tuple[int, int]) -> Difference:
    judged = judge_share(old, new)
    shares = tuple(failed / sent if sent else None for failed, sent in (old, new))
    return Difference(
        name,
        title,
        before=_of(*old),
        after=_of(*new),
        change=judged.change,
        word=_word(judged, "more failed", "fewer failed"),
        basis=_bounds(judged, formats.share),
        values=(shares[0], shares[1]),
    )


def _p95(name: str, side: str, old: PhaseFacts, new: PhaseFacts) -> Difference:
    samples = [_latencies(one.sides.get(side)) for one in (old, new)]
    judged = judge_p95(*samples)
    values = [percentile(sample, 95) for sample in samples]
    counts = f"of {formats.count(len(samples[0]))} and {formats.counted(len(samples[1]), 'request')}"
    told = [counts, _bounds(judged, formats.seconds)]
    if judged.change is Change.NOISE and not judged.overlap:
        told.append(f"it moved by less than {formats.seconds(P95_STEP_S)}")
    if judged.change in {Change.WORSE, Change.BETTER}:
        other = STABLE if side == CANARY else CANARY
        if judge_p95(*(_latencies(one.sides.get(other)) for one in (old, new))).change is judged.change:
            told.append(f"{other} moved the same way, so the version alone does not explain it")
    return Difference(
        name,
        f"p95 of {side}",
        before=formats.seconds(values[0]),
        after=formats.seconds(values[1]),
        change=judged.change,
        word=_word(judged, "slower", "faster"),
        basis="; ".join(part for part in told if part),
        values=(values[0], values[1]),
    )


def _duration(
    phase: str,
    title: str,
    old: float | None,
    new: float | None,
    words: tuple[str, str],
    look_s: float = 0.0,
) -> Iterable[Difference]:
    """Nothing when neither run has it."""
    if old is None and new is None:
        return
    judged = judge_duration(old, new, look_s)
    basis = ONE_EACH if old is not None and new is not None else ""
    if look_s and basis:
        basis += f"; Argo looked every {formats.seconds(look_s)}"
    yield Difference(
        phase,
        title,
        formats.seconds(old),
        formats.seconds(new),
        judged.change,
        _word(judged, *words),
        basis,
        values=(old, new),
    )


def _word(judged: Judged, worse: str, better: str) -> str:
    return {Change.WORSE: worse, Change.BETTER: better}.get(judged.change, judged.change.value)


def _bounds(judged: Judged, text: Callable[[float | None], str]) -> str:
    if judged.before is None or judged.after is None:
        return ""
    spans = [f"{text(low)} to {text(high)}" for low, high in (judged.before, judged.after)]
    return f"99{formats.NBSP}% intervals: {spans[0]}, and {spans[1]}"


def _of(failed: int, sent: int) -> str:
    if not sent:
        return formats.NONE
    return f"{formats.count(failed)} of {formats.count(sent)} ({formats.share(failed / sent)})"


def _counts(phase: PhaseFacts, side: str) -> tuple[int, int]:
    seen = phase.sides.get(side)
    return (seen.failed, seen.sent) if seen else (0, 0)


def _every(phase: PhaseFacts) -> tuple[int, int]:
    counts = [_counts(phase, side) for side in phase.sides]
    return sum(failed for failed, _ in counts), sum(sent for _, sent in counts)


def _latencies(seen: SideFacts | None) -> Sequence[float]:
    return seen.latencies_s if seen else ()
