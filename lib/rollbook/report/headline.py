"""The first screen in words and figures: what was released, what became of it, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.bundle.load import Evidence, PhaseEvidence
from rollbook.bundle.run_record import PhaseRecord, RunRecord
from rollbook.evidence.seal import Seal
from rollbook.report import formats
from rollbook.report.canary_view import CanaryView
from rollbook.report.coverage_view import CoverageView
from rollbook.report.tables import Ref
from rollbook.report.texts import short
from rollbook.report.timeline import CANARY, EDGE, STABLE

PROMOTED, ROLLED_BACK = "promoted", "rolled-back"
VERDICT_WORDS = {
    PROMOTED: "promoted",
    ROLLED_BACK: "rolled back",
    "paused": "left paused",
    "timed-out": "given up after its time limit",
}
OK, REFUSED, CANCELLED = 0, 3, 5
SENTENCES_LISTED = 40


@dataclass(frozen=True)
class Tile:
    """One figure with its name and a remark. `tone`: empty, `good`, `bad` or `warn`."""

    name: str
    value: str
    remark: str
    tone: str = ""
    anchor: str = ""
    """Where in the page its figure comes from."""


@dataclass(frozen=True)
class Card:
    """One canary in short: what was to become of which release, what did, and why."""

    anchor: str
    kind: str
    tone: str
    verdict: str
    before: str
    after: str
    digest: str
    sentence: str
    sources: tuple[Ref, ...] = ()


@dataclass(frozen=True)
class Headline:
    """The head of the page. `missing` are sentences about what the record lacks."""

    tone: str
    title: str
    lead: str
    cards: tuple[Card, ...]
    tiles: tuple[Tile, ...]
    missing: tuple[str, ...]


def build_headline(
    evidence: Evidence,
    canaries: Sequence[CanaryView],
    coverage: CoverageView | None,
    problems: Sequence[str],
) -> Headline:
    """Say what happened; what the record claims counts only as far as its evidence agrees."""
    tone, title, lead = _title(evidence.run, canaries)
    if evidence.seal.state is Seal.BROKEN:
        service = _service(evidence.run)
        tone, title, lead = "bad", f"{service}: the record does not verify", evidence.seal.sentence
    return Headline(
        tone=tone,
        title=title,
        lead=lead,
        cards=tuple(_card(view) for view in canaries),
        tiles=(*_tiles(canaries), *_coverage_tile(coverage)),
        missing=_capped([*problems, *_missing(evidence)]),
    )


def _service(run: RunRecord) -> str:
    return short(run.service.name) or "The service"


def _capped(sentences: Sequence[str]) -> tuple[str, ...]:
    left = len(sentences) - SENTENCES_LISTED
    return (
        *sentences[:SENTENCES_LISTED],
        *([f"And {left:,} more sentences like these."] if left > 0 else []),
    )


def _coverage_tile(coverage: CoverageView | None) -> tuple[Tile, ...]:
    if coverage is None or not coverage.computed:
        return ()
    failed = sum(one.number for one in coverage.states if one.tone == "bad")
    remark = f"proved of {formats.count(len(coverage.requirements))}; {formats.count(failed)} failed"
    value = formats.count(coverage.proved)
    return (Tile("Requirements", value, remark, "bad" if failed else "", "coverage"),)


def _title(run: RunRecord, canaries: Sequence[CanaryView]) -> tuple[str, str, str]:
    service = _service(run)
    surprises = [view for view in canaries if view.as_expected is False]
    code = run.outcome.exit_code
    own_words = run.outcome.sentence
    if run.ended is None:
        return (
            "warn",
            f"{service}: the run did not finish",
            ("It was cut off or is still under way; what was recorded so far is below."),
        )
    if code == CANCELLED:
        return "warn", f"{service}: the run was cancelled", own_words
    if code == REFUSED:
        return "bad", f"{service}: a gate refused the release", own_words
    if code != OK:
        return "bad", f"{service}: the run failed", own_words
    if surprises:
        first = surprises[0]
        words = VERDICT_WORDS.get(first.verdict, first.verdict)
        wanted = VERDICT_WORDS.get(first.expected, first.expected)
        lead = f"It should have been {wanted}."
        return "bad", f"{service} {first.after} was {words}", lead
    releases = [view for view in canaries if not view.is_drill and view.verdict]
    drills = [view for view in canaries if view.is_drill and view.verdict == ROLLED_BACK]
    faulty = short(", ".join(view.after for view in drills))
    if releases:
        last = releases[-1]
        words = VERDICT_WORDS.get(last.verdict, last.verdict)
        lead = f"In the drill, the faulty {faulty} was rolled back, as it had to be." if drills else own_words
        return "good", f"{service} {last.after} was {words}", lead
    if drills:
        return "good", f"{service}: the faulty {faulty} was rolled back", "That is what the drill expected."
    return "good", f"{service}: every phase ended well", own_words


def _card(view: CanaryView) -> Card:
    words = VERDICT_WORDS.get(view.verdict, view.verdict or "no verdict")
    words = words[:1].upper() + words[1:]
    tone = {True: "good", False: "bad", None: "warn"}[view.as_expected]
    if view.as_expected is False:
        words += ", against expectation"
    elif view.is_drill and view.as_expected:
        words += ", as expected"
    return Card(
        anchor=view.anchor,
        kind=f"Drill · {short(view.fault)}" if view.is_drill else "Release",
        tone=tone,
        verdict=words,
        before=view.before,
        after=view.after,
        digest=formats.short_digest(view.digest),
        sentence=view.why,
        sources=view.sources,
    )


def why(view: CanaryView) -> str:
    """Why a canary ended as it did, in one or two sentences with numbers."""
    if not view.sent:
        return view.sentence or "No user request was recorded, so nothing is known about the users."
    version = view.after or "the canary"
    if view.verdict == ROLLED_BACK:
        return _why_rolled_back(view, version)
    route = " → ".join(formats.weight(value) for value in view.weights)
    text = f"{formats.count(view.failed)} of {formats.counted(view.sent, 'user request')} failed"
    text += f" while Argo Rollouts moved {route} of them to {version}" if route else ""
    measures = view.measures
    if measures.all:
        text += f"; {measures.passed} of {formats.counted(measures.all, 'measurement')} passed"
        text += f", {measures.failed} failed" if measures.failed else ""
        text += f", {measures.undecided} could not decide" if measures.undecided else ""
    return text + "."


def _why_rolled_back(view: CanaryView, version: str) -> str:
    failed, answered = view.failed_by(CANARY), view.sent_to(CANARY)
    text = (
        f"{version} failed {formats.share(failed / answered)} of the "
        f"{formats.counted(answered, 'request')} that it answered. "
        if answered
        else f"{version} never answered a user. "
    )
    times = view.times
    if times is not None and times.detect_s is not None:
        gone = f"{formats.seconds(times.roll_back_s)} later" if times.roll_back_s else "from then on"
        text += (
            f"Argo Rollouts aborted it {formats.seconds(times.detect_s)} after its first failure; "
            f"{gone} no user reached it any more; "
        )
    stable = f"{formats.count(view.failed_by(STABLE))} of {formats.count(view.sent_to(STABLE))}"
    text += f"{stable} requests on {view.before or 'stable'} failed"
    lost = view.failed_by(EDGE)
    return text + (f", and {formats.counted(lost, 'request')} reached no version at all." if lost else ".")


def _tiles(canaries: Sequence[CanaryView]) -> tuple[Tile, ...]:
    seen = [view for view in canaries if view.timeline is not None or view.sent]
    if not seen:
        return ()
    sent = sum(view.sent for view in seen)
    tiles = [
        Tile(
            "User requests",
            formats.count(sent),
            f"sent during {formats.counted(len(seen), 'canary', 'canaries')}",
            "" if sent else "warn",
            anchor=_traffic_anchor(seen),
        )
    ]
    releases = [view for view in seen if not view.is_drill]
    if releases:
        failed, of = sum(view.failed for view in releases), sum(view.sent for view in releases)
        tone = ("bad" if failed else "good") if of else "warn"
        tiles.append(
            Tile(
                "Failed for users",
                formats.count(failed) if of else formats.NONE,
                f"of {formats.count(of)} in the release",
                tone,
                anchor=_traffic_anchor(releases),
            )
        )
    drills = [view for view in seen if view.is_drill]
    if drills:
        failed = sum(view.failed for view in drills)
        elsewhere = sum(view.failed_by(STABLE) + view.failed_by(EDGE) for view in drills)
        remark = (
            f"{formats.count(elsewhere)} not by the faulty version"
            if elsewhere
            else "all by the faulty version"
        )
        tone = "bad" if elsewhere else ""
        anchor = _traffic_anchor(drills)
        tiles.append(Tile("Failed in the drill", formats.count(failed), remark, tone, anchor))
    timed = next((view for view in [*drills, *releases] if view.times is not None), None)
    if timed is not None and timed.times is not None:
        detect, roll_back = formats.seconds(timed.times.detect_s), formats.at_once(timed.times.roll_back_s)
        anchor = _traffic_anchor([timed])
        tiles.append(Tile("Time to detect", detect, "first failed answer → abort", anchor=anchor))
        tiles.append(Tile("Time to roll back", roll_back, "abort → its last answer", anchor=anchor))
    return tuple(tiles)


def _traffic_anchor(views: Sequence[CanaryView]) -> str:
    """The log of users' requests when there is one alone, and else the canary's part of the page."""
    first = views[0]
    logs = [ref.anchor for ref in first.sources if ref.label.startswith("traffic/")]
    return logs[0] if logs and len(views) == 1 else first.anchor


def _missing(evidence: Evidence) -> tuple[str, ...]:
    run = evidence.run
    missing = list(evidence.problems)
    if run.ended is None:
        sentence = "The run has no end in its record: it was cut off or is still under way."
        if evidence.entries:
            last = formats.clock_time(evidence.entries[-1].time)
            sentence += f" The last entry of the journal is from {last} UTC."
        missing.append(sentence)
    if not evidence.entries:
        missing.append("There is no journal, so nothing is known about steps, decisions and gates.")
    if not run.phases:
        missing.append("No phase is recorded.")
    for phase in run.phases:
        missing += _missing_of(phase, evidence.phase(phase.name))
    for name, there in (("commit", run.commit.sha), ("environment", run.components)):
        if not there:
            missing.append(f"The {name} was not recorded.")
    return tuple(missing)


def _missing_of(phase: PhaseRecord, kept: PhaseEvidence) -> list[str]:
    if phase.outcome == "skipped":
        return [f"{short(phase.name)} was skipped."]
    missing, name = [], short(phase.name)
    if not phase.outcome:
        missing.append(f"{name} has no outcome: it did not finish.")
    if phase.is_canary and not kept.traffic:
        missing.append(f"{name} has no user requests on record.")
    if phase.is_canary and not kept.analysis_runs:
        missing.append(f"{name} has no AnalysisRun on record.")
    return missing
