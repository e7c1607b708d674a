"""The judge in a canary: it reads both sides' counters while users are on, and says what they show.

What it may do is the policy's: only say so (`advise`), abort the Rollout as soon as the canary is shown to be
harmful (`abort`), advance it from step to step only when it is safe (`gate`), or have Argo ask it (`argo`).
Argo's own analysis goes on beside it in any case.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rollbook.domain.judging import ABORTS, LOOK, SOURCE, of_metric, said
from rollbook.domain.rollout import RolloutStatus, Step
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.journal import Kind
from rollbook.judge.asking import CANARY, STABLE, Sample, question, samples
from rollbook.judge.canary import LATENCY_MARGIN, CanaryPanel, Rules
from rollbook.judge.model import Block, Judgement, Verdict
from rollbook.judge.shape import as_json
from rollbook.phases.context import PhaseContext
from rollbook.phases.gating import Gate, GatePolicy
from rollbook.phases.looking import Looking

SETTLE_S = 3.0
"""Seconds after a change of Argo's weight of which nothing is said about the split: the edge has to follow,
and scrapes are late."""


class Mode(StrEnum):
    """What the judge may do."""

    OFF = "off"
    ADVISE = "advise"
    ABORT = "abort"
    GATE = "gate"
    ARGO = "argo"

    @property
    def aborts(self) -> bool:
        """Whether it aborts a harmful canary itself."""
        return self in {Mode.ABORT, Mode.GATE}


@dataclass(frozen=True)
class Policy:
    """How a canary is judged.

    `alpha` bounds the share of healthy canaries that are ever called harmful, over all looks and metrics, and
    of those beyond `margin` (percentage points of errors above stable's, as a share) that are ever called
    safe. `latency_margin` is the same for slow requests. `gate` is for the mode of it.
    """

    mode: Mode = Mode.ADVISE
    alpha: float = 0.01
    margin: float = 0.01
    latency_margin: float = LATENCY_MARGIN
    gate: GatePolicy = GatePolicy()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class Judged:
    """What the judge said last, and when it first said so; seconds since it began to look."""

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
    advanced: int = 0
    """How many steps it has ended, by its policy."""
    metrics: tuple[str, ...] = ()
    """Each metric's last verdict, as `name: verdict`."""
    unjudged: tuple[str, ...] = ()
    """What the service names no counters for."""


class CanaryJudge:
    """Looks straight after scrapes. A service that names no counters is not judged.

    Make it, and let it look, before the new version is applied: what stable shows until then is learnt from.
    `steps` are those of the Rollout.
    """

    def __init__(
        self, ctx: PhaseContext, stable_hash: str, policy: Policy, steps: tuple[Step, ...] = ()
    ) -> None:
        self._ctx = ctx
        self._stable_hash = stable_hash
        self._policy = policy
        rules = Rules(policy.alpha, policy.margin, policy.latency_margin)
        self._panel = CanaryPanel(ctx.service.counters, rules)
        self._began = ctx.world.clock.monotonic()
        self._looking = Looking(self._began)
        self._gate = Gate(ctx, policy.gate, steps) if policy.mode is Mode.GATE else None
        self._looks = 0
        self._last: Judgement | None = None
        self._said: dict[str, Verdict] = {}
        self._first: dict[Verdict, float] = {}
        self._weight = 0
        self._weight_since = self._began
        self._counted_at: float | None = None
        self.aborted = False
        """Whether it has aborted the Rollout."""

    @property
    def on(self) -> bool:
        """Whether it judges."""
        return self._policy.mode is not Mode.OFF and bool(self._ctx.service.counters)

    def look(self, canary_hash: str, status: RolloutStatus | None = None) -> None:
        """Look, if it is time; until there is a canary, at stable alone. `status` is the Rollout's last."""
        now = self._ctx.world.clock.monotonic()
        if not self.on:
            return
        if status is not None and status.weight != self._weight:
            self._weight, self._weight_since = status.weight, now
        if now < self._looking.due:
            return
        found, asked_s = self._ask(canary_hash)
        canary = found.get(CANARY)
        self._looking.looked(now, asked_s, canary.scraped_s if canary else None)
        stable = found.get(STABLE)
        if canary is None and self._weight > 0:
            # It has answered users, and nobody knows how: its first scrape is compared with all of that time.
            stable = None
        judgement, block = self._panel.look(now - self._began, stable, canary, self._weight_of_block())
        if stable is not None:
            self._counted_at = now
        if not canary_hash:
            return
        self._looks += 1
        self._last = judgement
        self._write(judgement, canary, asked_s, now)
        if judgement.verdict is Verdict.HARMFUL and self._policy.mode.aborts:
            self._abort(judgement.sentence)
        elif self._gate is not None and status is not None and not self.aborted:
            self._pass(self._gate, status, judgement, block, now)

    def told(self) -> Judged | None:
        """What it said; None when it did not judge."""
        found = self._last
        if found is None:
            return None
        warnings = [f"{one.name}: {warning}" for one in found.metrics for warning in one.warnings]
        return Judged(
            verdict=found.verdict.value,
            sentence=found.sentence,
            alpha=self._policy.alpha,
            margin=self._policy.margin,
            looks=self._looks,
            e_value=found.e_value,
            p_value=found.p_value,
            first_harmful_s=self._first.get(Verdict.HARMFUL),
            first_safe_s=self._first.get(Verdict.SAFE),
            warnings=(*warnings, *self._panel.oddities.told()),
            aborted=self.aborted,
            advanced=self._gate.advanced if self._gate else 0,
            metrics=tuple(f"{one.name}: {one.verdict.value}" for one in found.metrics),
            unjudged=self._panel.unjudged,
        )

    def _weight_of_block(self) -> float | None:
        """The weight, 0 to 1, at which all came that was counted since the last reading; None if not all did.

        Scrapes that are missing make that longer ago than the last look: to before the weight changed, even.
        """
        begins = self._counted_at
        settled = begins is not None and begins - self._weight_since >= SETTLE_S
        return self._weight / 100.0 if settled else None

    def _ask(self, canary_hash: str) -> tuple[dict[str, Sample], float]:
        """Both sides now, and when that was by Prometheus' clock; nothing while it does not answer."""
        service = self._ctx.service
        hashes = {STABLE: self._stable_hash, CANARY: canary_hash}
        try:
            answer = self._ctx.world.metrics.vector(question(service.counters, service.namespace, hashes))
        except EnvironmentFailedError:
            return {}, 0.0
        asked_s = max((one.points[-1][0] for one in answer if one.points), default=0.0)
        return dict(samples((one.labels, one.points[-1][1]) for one in answer if one.points)), asked_s

    def _write(self, found: Judgement, canary: Sample | None, asked_s: float, now: float) -> None:
        """The look, and what has changed by it."""
        evidence = self._ctx.journal.last_asked()
        data = {**as_json(found), "weight": self._weight, "unjudged": list(self._panel.unjudged), **evidence}
        if canary is not None and canary.scraped_s is not None:
            data["scrape_age_s"] = round(asked_s - canary.scraped_s, 3)
        self._ctx.journal.append(Kind.OBSERVATION, LOOK, data, source=SOURCE)
        for one in found.metrics:
            self._changed(
                one.name, one.verdict, of_metric(one.name, one.verdict.value), one.sentence, evidence
            )
        if self._changed("", found.verdict, said(found.verdict.value), found.sentence, evidence):
            self._first.setdefault(found.verdict, now - self._began)

    def _changed(
        self, name: str, verdict: Verdict, entry: str, sentence: str, evidence: dict[str, Any]
    ) -> bool:
        """Write a decision when a verdict is another than before."""
        if self._said.get(name, Verdict.NO_DATA) is verdict:
            return False
        self._said[name] = verdict
        decided = {"verdict": verdict.value, "message": sentence, **evidence}
        self._ctx.journal.append(Kind.DECISION, entry, decided, source=SOURCE)
        return True

    def _abort(self, why: str) -> None:
        """Abort the Rollout, once. While the API server is away, the next look tries it again."""
        if self.aborted:
            return
        evidence = self._ctx.journal.last_asked()
        try:
            self._ctx.world.cluster.abort(self._ctx.service.namespace, self._ctx.service.rollout)
        except EnvironmentFailedError:
            return
        self.aborted = True
        self._ctx.journal.append(Kind.DECISION, ABORTS, {"message": why, **evidence}, source=SOURCE)

    def _pass(
        self, gate: Gate, status: RolloutStatus, found: Judgement, block: Block | None, now: float
    ) -> None:
        """At a paused step: advance it, go on waiting, or do what the policy says when time is over."""
        refused = gate.at(status, found, block, now)
        if refused:
            self._abort(refused)
