"""Each failed request of a canary, alike ones together, with its line in the pod's log and its exemplar."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollbook.domain.fates import Fate, fate_of
from rollbook.domain.traffic import RequestRecord
from rollbook.report import formats
from rollbook.report.places import Places
from rollbook.report.tables import Ref
from rollbook.report.texts import short
from rollbook.report.timeline import Timeline

FILE = "requests.json"
GROUPS_SHOWN = 12
SHOWN_A_GROUP = 10
SLOWEST_SHOWN = 5
LINE_LENGTH = 400
LARGEST_BYTES = 32 * 2**20
_ANCHOR = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class KeptExemplar:
    """An observation that Prometheus kept of a request, in the unit of its series."""

    metric: str
    value: float


@dataclass(frozen=True)
class Kept:
    """What the run kept of single requests of a phase, by their ids. `cut` names pods with lines left out.

    `lines_a_pod` is how many lines were read of a pod at most; None when the run did not look for any.
    """

    lines: Mapping[str, tuple[str, str]]
    """Pod and line."""
    exemplars: Mapping[str, KeptExemplar]
    lines_a_pod: int | None = None
    cut: tuple[str, ...] = ()


@dataclass(frozen=True)
class RequestView:
    """One request. `anchor` is empty when it has no id; `log` and `exemplar` when nothing was kept of it."""

    request_id: str
    anchor: str
    second: str
    took: str
    pod: str
    log: str = ""
    log_refs: tuple[Ref, ...] = ()
    exemplar: str = ""


@dataclass(frozen=True)
class GroupView:
    """Requests that are alike: what became of them, whom they met, and at which weight (empty for any)."""

    fate: str
    status: str
    version: str
    weight: str
    count: int
    when: str
    tone: str
    requests: tuple[RequestView, ...]
    left_out: int


@dataclass(frozen=True)
class FailedRequestsView:
    """The failed requests of one canary, and the slowest of the others; `notes` are sentences about gaps."""

    failed: int
    with_line: int
    with_exemplar: int
    groups: tuple[GroupView, ...]
    slowest: GroupView | None
    groups_left_out: int
    notes: tuple[str, ...]
    sources: tuple[Ref, ...]


def read_kept(root: Path, phase: str, problems: list[str]) -> Kept | None:
    """What a run kept of single requests; None when it kept nothing. What cannot be read is told."""
    path = root / "logs" / phase / FILE
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > LARGEST_BYTES:
            problems.append(f"logs/{phase}/{FILE} was not read: it is far too large.")
            return None
        return _kept(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problems.append(f"logs/{phase}/{FILE} could not be read: {error}.")
        return None


def _kept(raw: Mapping[str, Any]) -> Kept:
    lines = {str(one["request_id"]): (str(one["pod"]), str(one["line"])) for one in raw["lines"]}
    exemplars = {
        str(one["request_id"]): KeptExemplar(str(one["series"].get("__name__", "")), float(one["value"]))
        # A duration says more than the count of one that stands beside a counter.
        for one in sorted(raw["exemplars"], key=lambda one: "bucket" in one["series"].get("__name__", ""))
    }
    cut = tuple(str(one["pod"]) for one in raw["pods"] if one["cut"])
    return Kept(lines, exemplars, int(raw["lines_a_pod"]), cut)


def failed_requests_view(
    traffic: Sequence[RequestRecord],
    timeline: Timeline,
    kept: Kept | None,
    *,
    phase: str,
    number: int,
    places: Places,
) -> FailedRequestsView | None:
    """Group the failed requests of a phase; None when nothing failed and no line of a slow one was kept.

    `number` makes the anchors unique in the page.
    """
    found = kept or Kept({}, {})
    groups: defaultdict[tuple[float, Fate, int, str], list[RequestRecord]] = defaultdict(list)
    for record in traffic:
        if record.failed:
            weight = _weight(timeline, record.scheduled_s - timeline.start_s)
            groups[weight, fate_of(record), record.status, record.version].append(record)
    teller = _Teller(found, timeline.start_s, phase, number, places)
    ordered = sorted(groups.items(), key=lambda group: group[1][0].scheduled_s)
    failed = [record for mine in groups.values() for record in mine]
    good = sorted((one for one in traffic if not one.failed), key=lambda one: -one.latency_s)
    slow = [one for one in good[:SLOWEST_SHOWN] if one.request_id in {*found.lines, *found.exemplars}]
    if not failed and not slow:
        return None
    return FailedRequestsView(
        failed=len(failed),
        with_line=sum(record.request_id in found.lines for record in failed),
        with_exemplar=sum(record.request_id in found.exemplars for record in failed),
        groups=tuple(
            teller.group(weight, fate, status, version, mine)
            for (weight, fate, status, version), mine in ordered[:GROUPS_SHOWN]
        ),
        slowest=teller.slowest(slow) if slow else None,
        groups_left_out=max(0, len(ordered) - GROUPS_SHOWN),
        notes=_notes(failed, kept),
        sources=places.files(f"traffic/{phase}.csv", f"logs/{phase}/{FILE}"),
    )


def _notes(failed: Sequence[RequestRecord], kept: Kept | None) -> tuple[str, ...]:
    notes = []
    if kept is None and failed:
        notes.append("This run kept no log lines of single requests.")
    if kept is not None:
        unanswered = sum(not record.version for record in failed)
        if unanswered:
            notes.append(
                f"{formats.counted(unanswered, 'request')} met no version: the edge or the network ended "
                "them, so that no pod has logged them."
            )
        if kept.cut:
            notes.append(
                f"Of {formats.counted(len(kept.cut), 'pod')} more than {kept.lines_a_pod:,} lines were "
                f"logged, and the last of them were kept: {', '.join(map(short, kept.cut[:4]))}."
            )
    return tuple(notes)


def _weight(timeline: Timeline, second: float) -> float:
    """The canary's weight in percent at a moment; 0 before the first one."""
    return next((weight for at, weight in reversed(timeline.weights) if at <= second), 0)


class _Teller:
    """Puts requests into words."""

    def __init__(self, kept: Kept, start_s: float, phase: str, number: int, places: Places) -> None:
        self._kept = kept
        self._start_s = start_s
        self._phase = phase
        self._number = number
        self._places = places
        self._anchors: set[str] = set()

    def group(
        self, weight: float, fate: Fate, status: int, version: str, mine: Sequence[RequestRecord]
    ) -> GroupView:
        """Failed requests that are alike; those with a log line or an exemplar are shown first."""
        first, last = (one.scheduled_s - self._start_s for one in (mine[0], mine[-1]))
        told = sorted(mine, key=lambda one: -self._told(one))[:SHOWN_A_GROUP]
        return GroupView(
            fate=fate.value,
            status=str(status) if status else "",
            version=short(version),
            weight=formats.weight(weight),
            count=len(mine),
            when=formats.offset(first) if len(mine) == 1 else f"{first:+.1f} to {formats.offset(last)}",
            tone="warn" if fate is Fate.APP_REFUSED else "bad",
            requests=tuple(self._request(one) for one in sorted(told, key=lambda one: one.scheduled_s)),
            left_out=len(mine) - len(told),
        )

    def slowest(self, mine: Sequence[RequestRecord]) -> GroupView:
        """The slowest requests that were answered well."""
        return GroupView(
            fate=Fate.ANSWERED.value,
            status="",
            version="",
            weight="",
            count=len(mine),
            when="",
            tone="muted",
            requests=tuple(self._request(one) for one in mine),
            left_out=0,
        )

    def _told(self, record: RequestRecord) -> int:
        name = record.request_id
        return (name in self._kept.lines) + (name in self._kept.exemplars)

    def _request(self, record: RequestRecord) -> RequestView:
        pod, line = self._kept.lines.get(record.request_id, ("", ""))
        exemplar = self._kept.exemplars.get(record.request_id)
        return RequestView(
            request_id=short(record.request_id),
            anchor=self._anchor(record.request_id),
            second=formats.offset(record.scheduled_s - self._start_s),
            took=formats.seconds(record.latency_s),
            pod=short(record.pod or pod),
            log=short(line, LINE_LENGTH),
            log_refs=self._places.file(f"logs/{self._phase}/{pod}.log") if line else (),
            exemplar=_exemplar(exemplar) if exemplar else "",
        )

    def _anchor(self, request_id: str) -> str:
        anchor = f"q{self._number}-{request_id}"
        if not _ANCHOR.fullmatch(request_id) or anchor in self._anchors:
            return ""
        self._anchors.add(anchor)
        return anchor


def _exemplar(one: KeptExemplar) -> str:
    """What Prometheus kept: of a duration its value, of a counter that the request was counted."""
    if one.metric.endswith("_seconds_bucket"):
        return f"{formats.seconds(one.value)} in {short(one.metric.removesuffix('_bucket'))}"
    return f"counted in {short(one.metric) or 'a series without a name'}"
