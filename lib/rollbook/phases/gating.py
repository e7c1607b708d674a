"""The judge as a gate: a paused step is ended only when the canary is shown to be safe at its weight."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollbook.domain.judging import ADVANCES, SOURCE
from rollbook.domain.rollout import RolloutStatus, Step
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.journal import Kind
from rollbook.judge.model import Block, Judgement, Verdict
from rollbook.phases.context import PhaseContext
from rollbook.phases.manifests import Release, declared_steps

SETTLE_S = 3.0
"""Seconds after a step was reached that requests are not taken for those of its weight."""
AGAIN_S = 10.0
"""A step that Argo still pauses at so long after it was ended is ended once more."""


class Undecided(StrEnum):
    """What is done at a step whose time is over, while the canary is neither safe nor harmful."""

    ABORT = "abort"
    ADVANCE = "advance"


@dataclass(frozen=True)
class GatePolicy:
    """`budget_s`: seconds at one paused step until `undecided` says what is done."""

    budget_s: float = 60.0
    undecided: Undecided = Undecided.ABORT


class Gate:
    """Stands at the paused steps of one rollout."""

    def __init__(self, ctx: PhaseContext, policy: GatePolicy, steps: tuple[Step, ...]) -> None:
        self._ctx = ctx
        self._policy = policy
        self._steps = steps
        self._step: int | None = None
        self._since = 0.0
        self._before: float | None = None
        self._fresh = False
        self._ended_at: float | None = None
        self.advanced = 0
        """How many steps it has ended."""

    def at(self, status: RolloutStatus, found: Judgement, block: Block | None, now: float) -> str:
        """Ends the step if it may, after a look at `now` that counted `block` anew.

        Why the rollout is to be aborted, in a sentence; empty when it is not.
        """
        index = status.step_index
        pauses = index is not None and index < len(self._steps) and self._steps[index].pauses
        if index is None or not pauses or not status.paused or status.aborted:
            self._before = now
            return ""
        if index != self._step:
            self._step, self._since, self._fresh, self._ended_at = index, now, False, None
        # What is new since the last look came at this weight only if that look did not come too early.
        settled = self._before is not None and self._before - self._since >= SETTLE_S
        self._fresh = self._fresh or (settled and block is not None and block.canary_total > 0)
        self._before = now
        if self._ended_at is not None and now - self._ended_at < AGAIN_S:
            return ""
        if found.verdict is Verdict.SAFE and self._fresh:
            self._advance(status, f"safe at weight {status.weight}: {found.sentence}", found, now)
            return ""
        spent = now - self._since
        if spent < self._policy.budget_s:
            return ""
        why = (
            f"{found.verdict.value} at weight {status.weight} for {spent:.0f} s, where "
            f"{self._policy.budget_s:g} s were given: {found.sentence}"
        )
        if self._policy.undecided is Undecided.ABORT:
            return why
        self._advance(status, why, found, now)
        return ""

    def _advance(self, status: RolloutStatus, why: str, found: Judgement, now: float) -> None:
        """End the step. While the API server is away, the next look tries it again."""
        evidence = self._ctx.journal.last_asked()
        service = self._ctx.service
        try:
            if not self._ctx.world.cluster.promote_step(service.namespace, service.rollout):
                return
        except EnvironmentFailedError:
            return
        self._ended_at = now
        self.advanced += 1
        decided = {
            "step": status.step_index,
            "weight": status.weight,
            "verdict": found.verdict.value,
            "message": why,
            **evidence,
        }
        self._ctx.journal.append(Kind.DECISION, ADVANCES, decided, source=SOURCE)
        self._ctx.say(f"step {status.step_index} is ended: {why}")


def put_pauses_back(ctx: PhaseContext, release: Release) -> None:
    """Give the Rollout the steps again that its overlay declares: they were open for this release only."""
    with ctx.journal.step("put the timed pauses back"):
        steps = declared_steps(ctx.service, ctx.world, release)
        ctx.world.cluster.set_steps(ctx.service.namespace, ctx.service.rollout, steps)
