"""Log lines and exemplars of the requests that users will ask about: those that failed, and the slowest.

A pod's log is gone with the pod, so it is read again and again while users are on, and that of a container
that was started again once more; what was kept of it is searched for the requests' ids afterwards. What
cannot be had is left out: a log never ends a canary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from rollbook.domain.exemplars import Exemplar
from rollbook.domain.traffic import RequestRecord
from rollbook.errors import EnvironmentFailedError
from rollbook.phases.context import PhaseContext
from rollbook.phases.observe import bound_query
from rollbook.phases.versions import TEMPLATE_HASH

LOOK_EVERY_S = 3.0
LINES_A_POD = 2000
"""Lines that are read, and kept, of one pod at most: the last ones."""
LINE_LENGTH = 2000
SLOWEST = 5
"""Requests that were answered, and took longest, that are looked up beside those that failed."""
SCRAPED_S = 5.0
"""An exemplar is looked for so much earlier and later than its request: clocks differ."""
FILE = "requests.json"
_TOKEN = re.compile(r"[\w.-]+")


@dataclass
class PodLog:
    """The log of one pod as far as it was seen; `cut` when lines of it were left out."""

    earlier: list[str] = field(default_factory=list)
    """Of containers that ran before the one that runs now."""
    current: list[str] = field(default_factory=list)
    cut: bool = False

    def add(self, read: Sequence[str], *, limit: int) -> None:
        """Take in the last `limit` lines, as they are read now."""
        known = self.current
        if list(read[: len(known)]) == known:
            self.current = list(read)
        elif known and known[-1] in read and len(read) == limit:
            last = len(read) - 1 - list(reversed(read)).index(known[-1])
            self.current = known + list(read[last + 1 :])
        else:  # another container, or more lines at once than are read
            self.cut = self.cut or len(read) == limit
            self.earlier += known
            self.current = list(read)
        left_out = len(self.earlier) + len(self.current) - limit
        if left_out > 0:
            self.cut = True
            self.current = self.current[max(0, left_out - len(self.earlier)) :]
            self.earlier = self.earlier[left_out:]
        self.cut = self.cut or len(read) == limit

    @property
    def lines(self) -> list[str]:
        """All that is known, oldest first."""
        return [*self.earlier, *self.current]


@dataclass(frozen=True)
class KeptLogs:
    """How many requests were looked up, and of how many there is a log line, or an exemplar."""

    asked: int
    lines: int
    exemplars: int


class PodLogs:
    """Reads the logs of the service's pods while users are on, at most every `LOOK_EVERY_S` seconds."""

    def __init__(self, ctx: PhaseContext, *, lines_a_pod: int = LINES_A_POD) -> None:
        self._ctx = ctx
        self._limit = lines_a_pod
        self._pods: dict[str, PodLog] = {}
        self._restarts: dict[str, int] = {}
        self._due = ctx.world.clock.monotonic()

    def look(self, *hashes: str) -> None:
        """Read the logs of the pods with these pod-template hashes, if it is time."""
        now = self._ctx.world.clock.monotonic()
        if now >= self._due:
            self._due = now + LOOK_EVERY_S
            self._read(hashes)

    def keep(
        self, records: Sequence[RequestRecord], *hashes: str, start: datetime, end: datetime
    ) -> KeptLogs:
        """Read what is left, and keep what it says of failed and slowest requests.

        Writes `logs/<phase>/<pod>.log` and `logs/<phase>/requests.json`; exemplars are those of `start` to
        `end`.
        """
        ctx = self._ctx
        wanted = looked_up(records)
        with ctx.journal.step("keep what pods said of failed requests", lines_a_pod=self._limit) as step:
            self._read(hashes)
            for pod, log in self._pods.items():
                ctx.folder.write_log(ctx.phase, pod, "".join(f"{line}\n" for line in log.lines))
            told = [
                {"request_id": name, "pod": pod, "line": line}
                for pod, log in self._pods.items()
                for line in log.lines
                for name in sorted(wanted.keys() & set(_TOKEN.findall(line)))
            ]
            exemplars = [
                {"request_id": name, **asdict(one)}
                for one in self._exemplars(wanted.values(), hashes, start, end)
                for name in sorted(wanted.keys() & set(one.labels.values()))
            ]
            kept = KeptLogs(
                asked=len(wanted),
                lines=len({one["request_id"] for one in told}),
                exemplars=len({one["request_id"] for one in exemplars}),
            )
            pods = [{"pod": pod, "lines": len(log.lines), "cut": log.cut} for pod, log in self._pods.items()]
            step |= {**asdict(kept), "pods": pods}
            content: Mapping[str, Any] = {
                "lines_a_pod": self._limit,
                "pods": pods,
                "asked": sorted(wanted),
                "lines": told,
                "exemplars": exemplars,
            }
            ctx.folder.write_text(f"logs/{ctx.phase}/{FILE}", json.dumps(content, indent=1, sort_keys=True))
        return kept

    def _read(self, hashes: Sequence[str]) -> None:
        cluster, namespace = self._ctx.world.cluster, self._ctx.service.namespace
        try:
            for template_hash in filter(None, dict.fromkeys(hashes)):
                for pod in cluster.pods(namespace, f"{TEMPLATE_HASH}={template_hash}"):
                    if pod.restarts > self._restarts.get(pod.name, 0):
                        # What a container said last is in no log but its own, which the next one hides.
                        self._take(
                            pod.name,
                            cluster.pod_log(namespace, pod.name, tail=self._limit, previous=True),
                        )
                    self._take(pod.name, cluster.pod_log(namespace, pod.name, tail=self._limit))
                    self._restarts[pod.name] = pod.restarts
        except EnvironmentFailedError:
            return  # the next look may do; the pods go on

    def _take(self, pod: str, text: str) -> None:
        lines = [line[:LINE_LENGTH] for line in text.splitlines()]
        if lines:
            self._pods.setdefault(pod, PodLog()).add(lines, limit=self._limit)

    def _exemplars(
        self, wanted: Iterable[RequestRecord], hashes: Sequence[str], start: datetime, end: datetime
    ) -> tuple[Exemplar, ...]:
        """What Prometheus keeps beside the signals' series, around the requests that are looked for."""
        moments = [record.ended_s for record in wanted]
        if not moments:
            return ()
        begin = max(start, datetime.fromtimestamp(min(moments) - SCRAPED_S, UTC))
        last = min(end, datetime.fromtimestamp(max(moments) + SCRAPED_S, UTC))
        found: dict[str, Exemplar] = {}
        service = self._ctx.service
        for signal in service.signals:
            for template_hash in filter(None, dict.fromkeys(hashes)):
                query = bound_query(
                    signal.query, namespace=service.namespace, template_hash=template_hash, window="10s"
                )
                try:
                    seen = self._ctx.world.metrics.exemplars(query, start=begin, end=last)
                except EnvironmentFailedError:
                    continue
                # Several signals read the same series.
                found.update((repr(one), one) for one in seen)
        return tuple(sorted(found.values(), key=lambda one: one.at_s))


def looked_up(records: Sequence[RequestRecord], slowest: int = SLOWEST) -> Mapping[str, RequestRecord]:
    """Requests by their ids that failed, and those that were answered slowest; none without an id."""
    good = sorted((one for one in records if not one.failed), key=lambda one: -one.latency_s)
    picked = [*(one for one in records if one.failed), *good[:slowest]]
    return {one.request_id: one for one in picked if one.request_id}
