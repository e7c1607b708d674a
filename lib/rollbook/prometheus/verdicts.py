"""The judge for whoever asks: a canary judged anew from its beginning, by what Prometheus has of it.

Nothing is kept between two questions. Verdicts hold at every look (anytime-valid), so that it does no harm to
judge the same looks again with each question.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rollbook.errors import BadInputError, NotFoundError
from rollbook.judge.asking import CANARY, STABLE, question, samples
from rollbook.judge.canary import CanaryPanel, Rules
from rollbook.judge.model import Judgement
from rollbook.judge.shape import as_json
from rollbook.ports import Metrics

LOOKS = 300
"""So many looks a canary is judged at, at most: they are farther apart in a longer one."""
BEFORE_S = 30.0
"""Stable is looked at from so long before the beginning on: what it shows is learnt from."""
LONGEST_S = 7 * 86_400.0
MEMORY_SETTLE_S = 30.0
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Question:
    """Which canary: pod-template hashes of both sides, and when it began, in seconds since the epoch."""

    namespace: str
    stable: str
    canary: str
    start_s: float

    @classmethod
    def of(cls, given: Mapping[str, str], now_s: float) -> Question:
        """The question of a request's parameters. BadInputError names the one that is wrong."""
        for name in ("namespace", "stable", "canary"):
            if not _NAME.fullmatch(given.get(name, "")):
                raise BadInputError(
                    f"{name}={given.get(name, '')[:60]!r} is no name", why="they go into a query"
                )
        try:
            start_s = float(given.get("start", ""))
        except ValueError:
            start_s = float("nan")
        if not now_s - LONGEST_S <= start_s <= now_s:
            raise BadInputError(
                f"start={given.get('start', '')[:60]!r} is no beginning",
                why="it is in seconds since the epoch, in the past, and no week ago",
            )
        return cls(given["namespace"], given["stable"], given["canary"], start_s)


class Verdicts:
    """Answers questions, from several threads too; `counters` gives the services' queries by namespace."""

    def __init__(
        self,
        metrics: Metrics,
        counters: Callable[[], Mapping[str, Mapping[str, str]]],
        rules: Rules,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._counters = counters
        self._rules = rules
        self._now = now
        self._lock = threading.Lock()

    def answer(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The verdict in all and of each metric, as JSON.

        BadInputError for parameters that cannot be; NotFoundError for a namespace without counters;
        EnvironmentFailedError when Prometheus does not answer.
        """
        now_s = self._now()
        asked = Question.of(given, now_s)
        counters = self._counters().get(asked.namespace)
        if counters is None:
            raise NotFoundError(
                f"no service of the namespace {asked.namespace} is known",
                why="the file that --service names has none with counters",
            )
        found, looks, unjudged = self._judge(asked, counters, now_s)
        told = as_json(found)
        brief = {name: told[name] for name in ("verdict", "e_value", "p_value", "sentence")}
        return {**told, "brief": brief, "looks": looks, "unjudged": ["split", *unjudged]}

    def _judge(
        self, asked: Question, counters: Mapping[str, str], now_s: float
    ) -> tuple[Judgement, int, tuple[str, ...]]:
        hashes = {STABLE: asked.stable, CANARY: asked.canary}
        begins_s = asked.start_s - BEFORE_S
        step_s = max(1.0, round((now_s - begins_s) / LOOKS))
        with self._lock:  # one session of the client library for all
            series = self._metrics.range(
                question(counters, asked.namespace, hashes),
                start=datetime.fromtimestamp(begins_s, UTC),
                end=datetime.fromtimestamp(now_s, UTC),
                step_s=step_s,
            )
        moments: dict[float, list[tuple[Mapping[str, str], float]]] = {}
        for one in series:
            for at_s, value in one.points:
                moments.setdefault(at_s, []).append((one.labels, value))
        panel = CanaryPanel(counters, self._rules, memory_settle_s=MEMORY_SETTLE_S)
        found, _ = panel.look(-1.0, None, None, None)
        for at_s in sorted(moments):
            sides = samples(moments[at_s])
            stable, canary = sides.get(STABLE), sides.get(CANARY)
            if canary is None and at_s >= asked.start_s:
                # It may have answered users: its first scrape is compared with all of the time until then.
                stable = None
            found, _ = panel.look(at_s - begins_s, stable, canary, None)
        return found, len(moments), panel.unjudged
