"""What the dashboards showed while a phase went on, as the page keeps it: panels with their series."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollbook.bundle.load import Evidence
from rollbook.bundle.run_record import PhaseRecord
from rollbook.evidence.answers import Answer
from rollbook.evidence.journal import Entry, Kind
from rollbook.report import formats
from rollbook.report.canary_view import CanaryView
from rollbook.report.places import Places
from rollbook.report.tables import Cell, Column, Ref, Table, text
from rollbook.report.texts import short
from rollbook.report.timeline import Mark

OBSERVATION = "panels"
"""Name of the journal's observation that `rollbook.phases.panels` leaves."""
TABLED_PHASES = 6
LINES = 6
"""Series that are drawn in one panel, those with the largest values first."""
STATES = re.compile(r"\{\{\s*(phase|alertname|alertstate)\s*\}\}")


@dataclass(frozen=True)
class PanelLine:
    """One series: values at the phase's common times, None without one. `side`: stable, canary or empty."""

    name: str
    side: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class PanelView:
    """One panel. `limits`: thresholds with Grafana's names of colours; `states`: its series are on or off."""

    title: str
    unit: str
    description: str
    limits: tuple[tuple[float, str], ...]
    states: bool
    lines: tuple[PanelLine, ...]
    left_out: int
    empty: str
    """Why it has no data at times; empty where it always should have some."""
    error: str = ""


@dataclass(frozen=True)
class BoardView:
    """One dashboard of a phase."""

    title: str
    panels: tuple[PanelView, ...]

    @property
    def filled(self) -> int:
        """Panels that had data."""
        return sum(1 for one in self.panels if one.lines)


@dataclass(frozen=True)
class PanelsPhase:
    """The dashboards of one phase over its time: `length_s` seconds from its start, a point each `step_s`."""

    name: str
    anchor: str
    length_s: float
    step_s: float
    marks: tuple[Mark, ...]
    boards: tuple[BoardView, ...]


@dataclass(frozen=True)
class DashboardsView:
    """The part of the page about dashboards. Few `phases` are drawn, the table has the panels of all."""

    sentence: str
    tone: str
    phases: tuple[PanelsPhase, ...]
    table: Table


def dashboards_view(
    evidence: Evidence, canaries: Sequence[CanaryView], places: Places
) -> DashboardsView | None:
    """What the run asked of its dashboards; None when it asked nothing."""
    entries = [one for one in evidence.entries if one.kind is Kind.OBSERVATION and one.name == OBSERVATION]
    if not entries:
        return None
    answers = {one.id: one for one in evidence.answers}
    drawn = _drawn(entries, canaries)
    phases = {phase.name: phase for phase in evidence.run.phases}
    views = tuple(
        _phase(entry, phases.get(entry.phase), _canary(canaries, entry.phase), answers, number)
        for number, entry in enumerate(drawn, start=1)
    )
    told, tone = _sentence(entries)
    return DashboardsView(told, tone, views, _table(entries, places))


def _drawn(entries: Sequence[Entry], canaries: Sequence[CanaryView]) -> list[Entry]:
    """The first release and the first drill; where there is no canary, the first phase."""
    kinds: dict[bool | None, Entry] = {}
    for entry in entries:
        canary = _canary(canaries, entry.phase)
        kinds.setdefault(canary.is_drill if canary else None, entry)
    chosen = [kinds[kind] for kind in (False, True) if kind in kinds] or [kinds[None]]
    return [one for one in entries if one in chosen]


def _canary(canaries: Sequence[CanaryView], phase: str) -> CanaryView | None:
    return next((one for one in canaries if one.name == phase), None)


def _phase(
    entry: Entry,
    record: PhaseRecord | None,
    canary: CanaryView | None,
    answers: Mapping[str, Answer],
    number: int,
) -> PanelsPhase:
    start, end = (datetime.fromisoformat(str(entry.data[key])).timestamp() for key in ("start", "end"))
    step_s = float(entry.data["step_s"])
    sides = {"canary": record.canary.hash, "stable": record.stable.hash} if record else {}
    grid = _Grid(start, step_s, int((end - start) / step_s) + 1, sides)
    boards: dict[str, list[PanelView]] = {}
    for panel in entry.data["panels"]:
        boards.setdefault(short(str(panel["board"])), []).append(_panel(panel, answers, grid))
    marks: tuple[Mark, ...] = ()
    if canary is not None and canary.timeline is not None:
        shift = canary.timeline.start_s - start
        marks = tuple(Mark(round(one.at_s + shift, 1), one.label, one.tone) for one in canary.timeline.marks)
    return PanelsPhase(
        name=short(entry.phase),
        anchor=f"dash-{number}",
        length_s=round(end - start, 1),
        step_s=step_s,
        marks=tuple(one for one in marks if 0 <= one.at_s <= end - start),
        # What tells the two versions apart comes first.
        boards=tuple(
            sorted((BoardView(title, tuple(panels)) for title, panels in boards.items()), key=_place_of)
        ),
    )


def _place_of(board: BoardView) -> int:
    return -sum(1 for panel in board.panels for line in panel.lines if line.side)


@dataclass(frozen=True)
class _Grid:
    """The common times of a phase, and the hashes by which its two versions are known."""

    start: float
    step_s: float
    count: int
    sides: Mapping[str, str]

    def placed(self, values: Sequence[Any]) -> tuple[float | None, ...]:
        """Values at the common times, to four digits, which is more than a small picture shows."""
        found: list[float | None] = [None] * self.count
        for at, told in values:
            place = round((float(at) - self.start) / self.step_s)
            if 0 <= place < self.count and str(told) not in {"NaN", "+Inf", "-Inf"}:
                found[place] = float(f"{float(told):.4g}")
        return tuple(found)

    def side(self, labels: Mapping[str, Any]) -> str:
        """Which version a series is of; empty for neither."""
        return next((side for side, known in self.sides.items() if known and known in labels.values()), "")


def _panel(panel: Mapping[str, Any], answers: Mapping[str, Answer], grid: _Grid) -> PanelView:
    lines = [line for target in panel["targets"] for line in _lines(target, answers, grid)]
    ordered = sorted(lines, key=lambda one: -max(value for value in one.values if value is not None))
    kept = [one for one in lines if one in ordered[:LINES]]
    values = {value for one in lines for value in one.values}
    return PanelView(
        title=short(str(panel["title"])),
        unit=short(str(panel["unit"]), 20),
        description=str(panel["description"]),
        limits=tuple((float(one["value"]), str(one["color"])) for one in panel["limits"]),
        states=values <= {0.0, 1.0, None}
        and any(STATES.search(str(target["legend"])) for target in panel["targets"]),
        lines=tuple(kept),
        left_out=len(lines) - len(kept),
        empty=str(panel["empty"]),
        error="; ".join(str(one["error"]) for one in panel["targets"] if one.get("error")),
    )


def _lines(target: Mapping[str, Any], answers: Mapping[str, Answer], grid: _Grid) -> Iterator[PanelLine]:
    for identity in target.get("evidence", ()):
        answer = answers.get(str(identity))
        if answer is None or not isinstance(answer.answer, Mapping):
            continue
        for series in (answer.answer.get("data") or {}).get("result") or ():
            values = grid.placed(series.get("values") or ())
            if any(value is not None for value in values):
                labels = series["metric"]
                yield PanelLine(_name(str(target["legend"]), labels), grid.side(labels), values)


def _name(legend: str, labels: Mapping[str, Any]) -> str:
    """The name of a series, as Grafana makes it of the legend's labels."""
    filled = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: str(labels.get(found[1], "")), legend)
    filled = re.sub(r"^/\S*/", "", filled)  # of a group of rules, Prometheus names the whole path of its file
    return short(filled or ", ".join(f"{name}={value}" for name, value in sorted(labels.items())), 60)


def _has_data(panel: Mapping[str, Any]) -> bool:
    return any(target.get("points") for target in panel["targets"])


def _key(panel: Mapping[str, Any]) -> tuple[str, str]:
    return str(panel["dashboard"]), str(panel["panel"])


def _sentence(entries: Sequence[Entry]) -> tuple[str, str]:
    everything = {_key(panel): panel for entry in entries for panel in entry.data["panels"]}
    filled = {_key(panel) for entry in entries for panel in entry.data["panels"] if _has_data(panel)}
    lacking = [panel for key, panel in everything.items() if key not in filled]
    unexplained = [panel for panel in lacking if not panel["empty"]]
    told = f"{len(filled)} of {len(everything)} panels had data in this run."
    if unexplained:
        return f"{told} Without data and without a reason: {_titles(unexplained)}.", "bad"
    if lacking:
        return f"{told} The dashboards say why the others may be empty: {_titles(lacking)}.", "good"
    return told, "good"


def _titles(panels: Sequence[Mapping[str, Any]]) -> str:
    return short(", ".join(str(one["title"]) for one in panels), 400)


def _table(entries: Sequence[Entry], places: Places) -> Table:
    """All panels of all phases: how many points each had, and why it may have none."""
    shown = entries[:TABLED_PHASES]
    panels: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for entry in entries:
        for panel in entry.data["panels"]:
            panels.setdefault(_key(panel), {})[entry.phase] = panel
    rows = []
    for by_phase in panels.values():
        one = next(iter(by_phase.values()))
        rows.append(
            (
                Cell(f"{short(str(one['board']), 40)}: {short(str(one['title']))}"),
                *(_points(by_phase.get(entry.phase), places) for entry in shown),
                Cell(str(one["empty"]) or formats.NONE, "" if one["empty"] else "muted"),
            )
        )
    left = len(entries) - len(shown)
    return Table(
        "All panels",
        (
            *text("Panel"),
            *(Column(short(one.phase, 30), numeric=True) for one in shown),
            *text("May be empty"),
        ),
        tuple(rows),
        note="Points that Prometheus answered, all series together."
        + (f" And {formats.counted(left, 'more phase')}." if left else ""),
    )


def _points(panel: Mapping[str, Any] | None, places: Places) -> Cell:
    if panel is None:
        return Cell(formats.NONE, "muted")
    count = sum(int(target.get("points") or 0) for target in panel["targets"])
    known: list[Ref] = []
    for target in panel["targets"][:1]:
        known += places.records(target.get("evidence"))
    if not count:
        return Cell("none", "muted" if panel["empty"] else "warn", refs=tuple(known))
    return Cell(formats.count(count), refs=tuple(known))
