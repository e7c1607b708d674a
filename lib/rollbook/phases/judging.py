"""The judge in a canary: it reads both sides' counters while users are on, and says what they show.

What it may do is the policy's: only say so (`advise`), or abort the Rollout as soon as the canary is shown to
be harmful (`abort`). Argo's own analysis goes on beside it in either case.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from rollbook.domain.judging import ABORTS, LOOK, SOURCE, said
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.journal import Kind
from rollbook.evidence.resting import EVIDENCE
from rollbook.judge.counters import Counters, Reading
from rollbook.judge.model import Margin, MetricVerdict, Verdict
from rollbook.judge.rates import RateJudge
from rollbook.judge.standing import RateMetric
from rollbook.phases.context import PhaseContext
from rollbook.phases.observe import bound_query

LOOK_EVERY_S = 2.0


class Mode(StrEnum):
    """What the judge may do."""

    OFF = "off"
    ADVISE = "advise"
    ABORT = "abort"


@dataclass(frozen=True)
class Policy:
    """How a canary is judged.

    `alpha` bounds the share of healthy canaries that are ever called harmful, and of those beyond `margin`
    (percentage points of errors above stable's, as a share) that are ever called safe.
    """

    mode: Mode = Mode.ADVISE
    alpha: float = 0.01
    margin: float = 0.01


@dataclass(frozen=True)
class Judged:
    """What the judge said last, and when it first said so; seconds since the new version was applied."""

    verdict: str
    sentence: str
    alpha: float
    margin: float
    looks: int
    e_value: float
    p_value: float
    first_harmful_s: float | None
    first_safe_s: float | None
    warnings: tuple[str, ...]
    aborted: bool = False
    """Whether it aborted the Rollout, by its policy."""


class CanaryJudge:
    """Looks at most every `LOOK_EVERY_S` seconds. A service that names no counters is not judged."""

    def __init__(self, ctx: PhaseContext, stable_hash: str, policy: Policy) -> None:
        self._ctx = ctx
        self._stable_hash = stable_hash
        self._policy = policy
        query = ctx.service.counters.get("errors", "")
        self._judge = RateJudge(RateMetric(alpha=policy.alpha, margin=Margin(policy.margin), query=query))
        self._counters = Counters()
        self._began = ctx.world.clock.monotonic()
        self._due = self._began
        self._looks = 0
        self._last: MetricVerdict | None = None
        self._rests_on: list[str] = []
        self.aborted = False
        """Whether it has aborted the Rollout."""

    @property
    def on(self) -> bool:
        """Whether it judges."""
        return self._policy.mode is not Mode.OFF and bool(self._ctx.service.counters)

    def look(self, canary_hash: str) -> None:
        """Look, if it is time; nothing before there is a canary."""
        now = self._ctx.world.clock.monotonic()
        if not self.on or not canary_hash or now < self._due:
            return
        self._due = now + LOOK_EVERY_S
        self._rests_on = []
        reading = self._reading(now - self._began, canary_hash)
        block = self._counters.read(reading)
        before = self._last.verdict if self._last else Verdict.NO_DATA
        found = self._last = self._judge.look(now - self._began, block)
        self._looks += 1
        data = {**_told(found), EVIDENCE: self._rests_on}
        self._ctx.journal.append(Kind.OBSERVATION, LOOK, data, source=SOURCE)
        if found.verdict is not before:
            decided = {"verdict": found.verdict.value, "message": found.sentence}
            self._ctx.journal.append(Kind.DECISION, said(found.verdict.value), decided, source=SOURCE)
        if found.verdict is Verdict.HARMFUL and self._policy.mode is Mode.ABORT and not self.aborted:
            self.aborted = True
            self._ctx.world.cluster.abort(self._ctx.service.namespace, self._ctx.service.rollout)
            self._ctx.journal.append(Kind.DECISION, ABORTS, {"message": found.sentence}, source=SOURCE)

    def told(self) -> Judged | None:
        """What it said; None when it did not judge."""
        found = self._last
        if found is None:
            return None
        return Judged(
            verdict=found.verdict.value,
            sentence=found.sentence,
            alpha=self._policy.alpha,
            margin=self._policy.margin,
            looks=self._looks,
            e_value=found.e_value or 0.0,
            p_value=1.0 if found.p_value is None else found.p_value,
            first_harmful_s=found.first_harmful_s,
            first_safe_s=found.first_safe_s,
            warnings=(*found.warnings, *self._counters.oddities.told()),
            aborted=self.aborted,
        )

    def _reading(self, at_s: float, canary_hash: str) -> Reading | None:
        """The counters now; None while Prometheus does not answer, or knows nothing of stable."""
        try:
            stable = self._side(self._stable_hash)
            canary = self._side(canary_hash)
        except EnvironmentFailedError:
            return None
        # A canary that was not scraped yet has answered nobody that is known of.
        return None if stable is None else Reading(at_s, stable, canary or (0, 0))

    def _side(self, template_hash: str) -> tuple[int, int] | None:
        total = self._ask("requests", template_hash)
        if total is None:
            return None
        return round(total), round(self._ask("errors", template_hash) or 0.0)

    def _ask(self, counter: str, template_hash: str) -> float | None:
        service = self._ctx.service
        query = bound_query(
            service.counters[counter], namespace=service.namespace, template_hash=template_hash, window=""
        )
        value = self._ctx.world.metrics.instant(query)
        self._rests_on += self._ctx.journal.last_asked().get(EVIDENCE, [])
        return value


def _told(found: MetricVerdict) -> dict[str, Any]:
    return {
        "verdict": found.verdict.value,
        "e_value": found.e_value,
        "p_value": found.p_value,
        "e_safe": found.e_safe,
        "counts": asdict(found.counts),
        "effect": asdict(found.effect) if found.effect else None,
        "alpha": found.alpha,
        "sentence": found.sentence,
        "warnings": list(found.warnings),
    }
