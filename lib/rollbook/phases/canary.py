"""Canary: a new version takes over step by step under users' traffic, or Argo sends it back.

    planned = planning.plan(ctx, version="", fault="")
    image = build_and_push(ctx, planned.version)
    with users_and_rollout(ctx, planned, image, rps=50) as rollout:
        outcome = rollout.watch(show)

The context manager is the way back: whatever ends the block early (an error, Ctrl-C, a killed cell), the
Rollout is aborted, so that all traffic is on stable, and the users' traffic is stopped.
"""

from __future__ import annotations

import _thread
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from rollbook.domain.release import Image, Verdict
from rollbook.domain.rollout import AnalysisRun, RolloutStatus
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.journal import Entry
from rollbook.phases.context import PhaseContext
from rollbook.phases.deploy import apply
from rollbook.phases.edge import until_it_follows
from rollbook.phases.exclusive import exclusive
from rollbook.phases.follow import Follower, RolloutEnd
from rollbook.phases.gating import put_pauses_back
from rollbook.phases.interrupts import remembered
from rollbook.phases.judging import CanaryJudge, Judged, Mode, Policy
from rollbook.phases.logs import PodLogs
from rollbook.phases.manifests import Release
from rollbook.phases.observe import archive_metrics, archive_objects
from rollbook.phases.outage import Outage
from rollbook.phases.panels import archive_panels
from rollbook.phases.planning import Planned
from rollbook.phases.versions import TEMPLATE_HASH
from rollbook.phases.wayback import back_to_stable
from rollbook.ports import TrafficRun

Show = Callable[[datetime, Sequence[RequestRecord], RolloutStatus, Sequence[Entry]], None]


@dataclass(frozen=True)
class CanaryOutcome:
    """How a canary ended, with all that the report and the gate need of it."""

    planned: Planned
    image: Image
    verdict: Verdict
    canary_hash: str
    started_at: datetime
    decided_at: datetime
    ended_at: datetime
    weights: tuple[tuple[datetime, int], ...]
    """Argo's weights: from when, percent."""
    analysis: tuple[AnalysisRun, ...]
    records: tuple[RequestRecord, ...]
    message: str
    """What Argo said at the end."""
    declared_s: float
    """Seconds spent in pauses and waits that were asked for."""
    evidence: tuple[str, ...] = ()
    """Records of what the cluster was asked last, until the end was seen."""
    judged: Judged | None = None
    """What the judge said; None when it was off, or the service names no counters."""


class Canary:
    """A canary under way, with users on it."""

    def __init__(
        self,
        ctx: PhaseContext,
        planned: Planned,
        image: Image,
        traffic: TrafficRun,
        timings: Timings,
        interrupted: Callable[[], None],
        policy: Policy,
    ) -> None:
        self._ctx = ctx
        self._planned = planned
        self._image = image
        self._traffic = traffic
        self._timings = timings
        self._interrupted = interrupted
        self._policy = policy
        self.ended: RolloutEnd | None = None

    def watch(self, show: Show | None = None) -> CanaryOutcome:
        """Apply the new version and follow it to its end; `show` is called about once a second.

        Ends when Argo has promoted or aborted, paused for an inconclusive analysis, or the time is over; in
        the last two cases the rollout is aborted. Afterwards the world is as it was found: an aborted
        version's template is taken out of the Rollout again.
        """
        ctx, planned = self._ctx, self._planned
        started = ctx.world.clock.now()
        judge = CanaryJudge(ctx, planned.stable_hash, self._policy, planned.steps)
        judge.look("")
        ctx.wait(self._timings.lead_s, "traffic before the rollout")
        follower = Follower(ctx, planned.steps, planned.stable_hash)
        logs = PodLogs(ctx)

        def redraw(status: RolloutStatus) -> None:
            self._interrupted()
            logs.look(planned.stable_hash, follower.canary_hash)
            if show is not None:
                show(ctx.world.clock.now(), self._traffic.records(), status, follower.decisions)

        mode, since = self._policy.mode, started if self._policy.mode is Mode.ARGO else None
        release = Release(
            planned.version, self._image, planned.fault, planned.fault_env, mode is Mode.GATE, since
        )
        apply(ctx, release)
        end = follower.to_the_end(
            timeout_s=self._timings.timeout_s,
            redraw=redraw,
            tick=lambda status: judge.look(follower.canary_hash, status),
        )
        self.ended = end
        if end.verdict in {Verdict.PAUSED, Verdict.TIMED_OUT}:
            back_to_stable(ctx, f"the rollout is {end.verdict.value}")
        loser = planned.stable_hash if end.verdict is Verdict.PROMOTED else end.canary_hash
        hashes = {"stable": planned.stable_hash, "canary": end.canary_hash}
        try:
            Outage(ctx).ask(lambda: archive_objects(ctx, hashes))
            drained_s = self._until_gone(loser, redraw, follower.last)
            ctx.wait(self._timings.lead_s, "traffic after the rollout")
            records = tuple(self._traffic.stop())
            redraw(follower.last)
            ended = ctx.world.clock.now()
            archive_metrics(ctx, hashes, start=started, end=ended)
            archive_panels(ctx, start=started, end=ended)
            logs.keep(records, *hashes.values(), start=started, end=ended)
        finally:
            # Also when the evidence cannot be had: the next release must find the Rollout at rest.
            if end.verdict is not Verdict.PROMOTED:
                with ctx.journal.step("take the aborted version out of the Rollout"):
                    ctx.world.cluster.undo(ctx.service.namespace, ctx.service.rollout)
            if release.held:
                put_pauses_back(ctx, release)
        return CanaryOutcome(
            planned=planned,
            image=self._image,
            verdict=end.verdict,
            canary_hash=end.canary_hash,
            started_at=started,
            decided_at=end.decided_at,
            ended_at=ended,
            weights=end.weights,
            analysis=end.analysis,
            records=records,
            message=end.message,
            declared_s=round(end.paused_s + drained_s + 2 * self._timings.lead_s, 3),
            evidence=end.evidence,
            judged=judge.told(),
        )

    def _until_gone(
        self, template_hash: str, redraw: Callable[[RolloutStatus], None], last: RolloutStatus
    ) -> float:
        """Keep users on until the losing version's pods are gone: that, too, must not hurt them.

        Argo keeps them for `scaleDownDelaySeconds` (`abortScaleDownDelaySeconds`), which is a declared wait.
        """
        ctx, clock = self._ctx, self._ctx.world.clock
        with ctx.journal.step("wait for the old pods to go", hash=template_hash) as step:
            began = clock.monotonic()
            selector = f"{TEMPLATE_HASH}={template_hash}"
            while clock.monotonic() - began < self._timings.drain_s:
                pods = Outage(ctx).ask(lambda: ctx.world.cluster.pods(ctx.service.namespace, selector))
                if not pods:
                    break
                redraw(last)
                clock.sleep(0.5)
            else:
                step["left"] = len(pods)
            return round(clock.monotonic() - began, 3)


@dataclass(frozen=True)
class Timings:
    """Seconds: of traffic before and after, until the rollout has ended, until old pods are gone."""

    lead_s: float = 3.0
    timeout_s: float = 300.0
    drain_s: float = 90.0

    @property
    def longest_s(self) -> float:
        """No canary takes longer; the traffic ends by then in any case."""
        return 2 * self.lead_s + self.timeout_s + self.drain_s + 60.0


@contextmanager
def users_and_rollout(
    ctx: PhaseContext,
    planned: Planned,
    image: Image,
    *,
    rps: float,
    timings: Timings,
    policy: Policy = Policy(Mode.OFF),  # noqa: B008 - frozen
) -> Iterator[Canary]:
    """Send users' traffic, and see to it that an early end leaves all of it on stable; judged by `policy`.

    TargetHeldError when another run changes the same target; EnvironmentFailedError when the edge does not
    follow the cluster.
    """
    traffic_plan = ctx.traffic_plan(rps=rps, duration_s=timings.longest_s)
    log = ctx.folder.traffic_log(ctx.phase)
    with exclusive(ctx, on_lost=_stop_here):
        until_it_follows(ctx, Release(planned.version, image))
        with ctx.world.traffic.start(traffic_plan, log) as traffic, remembered() as interrupted:
            canary = Canary(ctx, planned, image, traffic, timings, interrupted, policy)
            try:
                yield canary
            except BaseException as error:
                if canary.ended is None:
                    back_to_stable(ctx, type(error).__name__)
                raise


def _stop_here(_holder: str) -> None:
    """Interrupt the running cell: another run has taken the target over."""
    _thread.interrupt_main()
