"""Follow one rollout to its end, and write down each thing that Argo decides when it decides it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollbook.domain.release import Verdict
from rollbook.domain.rollout import AnalysisRun, RolloutStatus, Step
from rollbook.errors import EnvironmentFailedError, RollbookError
from rollbook.evidence.journal import Entry, Kind
from rollbook.evidence.resting import EVIDENCE
from rollbook.evidence.weights import STEPS_COMPLETE
from rollbook.phases.context import PhaseContext
from rollbook.phases.deadline import ProgressDeadline
from rollbook.phases.observe import Watchkeeper, archive_pods, status_data
from rollbook.phases.outage import AGAIN_S, Outage

LOOK_EVERY_S = 0.5
REDRAW_EVERY_S = 1.0
LAST_LOOK_S = 3.0


@dataclass(frozen=True)
class RolloutEnd:
    """The end of a rollout. `paused_s`: seconds that it spent in pauses which the strategy declares."""

    verdict: Verdict
    canary_hash: str
    decided_at: datetime
    weights: tuple[tuple[datetime, int], ...]
    analysis: tuple[AnalysisRun, ...]
    message: str
    paused_s: float
    evidence: tuple[str, ...] = ()
    """Records of what was asked of the cluster last, until the end was seen."""


class Follower:
    """Follows a Rollout from the moment it is made. Make it before the new version is applied.

    A thread holds the watch (an API watch blocks); the caller's thread does everything else, so that an
    interrupt reaches it.
    """

    def __init__(self, ctx: PhaseContext, steps: tuple[Step, ...], stable_hash: str) -> None:
        self._ctx = ctx
        self._steps = steps
        self._stable_hash = stable_hash
        self._keeper = Watchkeeper(ctx)
        self._away = Outage(ctx, quiet=True)  # the watch tells the journal
        self._weights: list[tuple[datetime, int]] = []
        self._paused_s = 0.0
        self._pause_began: float | None = None
        self._canary_hash = ""
        self._last_evidence: Mapping[str, Any] = {}
        self._progress = ProgressDeadline()
        self._gave_up = ""
        self._aborted: datetime | None = None
        self._promoted: datetime | None = None
        self.decisions: list[Entry] = []
        """What Argo decided so far, as the journal has it."""
        self.last = ctx.rollout_status()

    @property
    def canary_hash(self) -> str:
        """The new version's pod-template hash; empty until Argo has seen it."""
        return self._canary_hash

    def to_the_end(
        self,
        *,
        timeout_s: float,
        redraw: Callable[[RolloutStatus], None],
        tick: Callable[[RolloutStatus], None] = lambda _status: None,
    ) -> RolloutEnd:
        """Follow until the rollout is promoted, aborted, paused by its analysis, or `timeout_s` is over.

        `redraw` is called each second, `tick` at each turn, some ten times a second.

        EnvironmentFailedError when the cluster is away for longer than `outage.LONGEST_S`.
        """
        clock = self._ctx.world.clock
        deadline = clock.monotonic() + timeout_s
        feed = _Feed(self._ctx, timeout_s)
        next_look = next_redraw = clock.monotonic()
        runs: tuple[AnalysisRun, ...] = ()
        with self._ctx.journal.step("follow the rollout", timeout_s=timeout_s) as step:
            while True:
                seen = feed.next(0.1)
                now = clock.monotonic()
                verdict = self._take(seen) if seen is not None else None
                if seen is None and (feed.ended or now >= deadline):
                    verdict = Verdict.TIMED_OUT
                if verdict is None and self._progress.over(self.last, now):
                    verdict, self._gave_up = Verdict.TIMED_OUT, self._progress.sentence
                if now >= next_look or verdict is not None:
                    next_look = now + LOOK_EVERY_S
                    runs = self._look() or runs
                if verdict is not None:
                    break
                tick(self.last)
                if now >= next_redraw:
                    next_redraw = now + REDRAW_EVERY_S
                    redraw(self.last)
            step["verdict"] = verdict.value
        evidence = tuple(step.get(EVIDENCE, ()))
        feed.close()
        runs = self._ended_runs(runs)
        self._pause(clock.monotonic(), ended=True)
        decided = self._decide(verdict)
        Outage(self._ctx).ask(lambda: archive_pods(self._ctx, self._canary_hash))
        return RolloutEnd(
            verdict=verdict,
            canary_hash=self._canary_hash,
            decided_at=decided,
            weights=tuple(self._weights),
            analysis=runs,
            message=self._gave_up or self.last.message,
            paused_s=round(self._paused_s, 3),
            evidence=evidence,
        )

    def _ended_runs(self, runs: tuple[AnalysisRun, ...]) -> tuple[AnalysisRun, ...]:
        """Look on until the AnalysisRuns have ended too: Argo ends them a moment after the rollout."""
        clock = self._ctx.world.clock
        deadline = clock.monotonic() + LAST_LOOK_S
        while any(not run.ended for run in runs) and clock.monotonic() < deadline:
            clock.sleep(0.1)
            runs = self._look() or runs
        return runs

    def _look(self) -> tuple[AnalysisRun, ...]:
        """Look at AnalysisRuns and events; nothing while the cluster is away for a moment."""
        asked = self._ctx.world.clock.monotonic()
        try:
            runs = self._keeper.look()
        except EnvironmentFailedError as error:
            self._away.goes_on(error, asked=asked)
            return ()
        self._away.over()
        return runs

    def _take(self, seen: Seen) -> Verdict | None:
        """Take note of a status; the verdict when it is the end."""
        ctx, status = self._ctx, seen.status
        if status_data(status) != status_data(self.last):
            data = {**status_data(status), **seen.evidence}
            ctx.journal.append(Kind.OBSERVATION, "rollout", data, source="argo-rollouts", time=seen.at)
        self.last = status
        self._last_evidence = seen.evidence
        if status.observed_generation < status.generation:
            return None
        if status.current_hash != self._stable_hash:
            self._canary_hash = status.current_hash
        if not self._canary_hash:
            return None
        self._weight(seen)
        self._note_steps(seen)
        self._pause(seen.monotonic, ended=status.aborted or status.settled)
        if status.aborted:
            self._aborted = self._aborted or seen.at
            return Verdict.ROLLED_BACK if status.weight == 0 else None
        if status.stable_hash == self._canary_hash and status.phase == "Healthy":
            self._promoted = seen.at
            return Verdict.PROMOTED
        if "Inconclusive" in status.message:
            return Verdict.PAUSED
        return None

    def _weight(self, seen: Seen) -> None:
        status, now = seen.status, seen.at
        previous = self._weights[-1][1] if self._weights else 0
        if self._weights and status.weight == previous:
            return
        self._weights.append((now, status.weight))
        if status.weight != previous:
            self._decision("weight", {"weight": status.weight, "previous": previous}, now)
            self._ctx.say(f"weight {status.weight} %")

    def _note_steps(self, seen: Seen) -> None:
        """Note once that all steps are done: from then on the weight no longer says who answers."""
        status = seen.status
        done = status.step_index is not None and status.step_index >= status.step_count > 0
        if done and not status.aborted and all(one.name != STEPS_COMPLETE for one in self.decisions):
            self._decision(STEPS_COMPLETE, {"steps": status.step_count}, seen.at)

    def _pause(self, now: float, *, ended: bool) -> None:
        """Count the time in pause steps: the strategy asked for it."""
        index = self.last.step_index
        in_pause = not ended and index is not None and index < len(self._steps) and self._steps[index].pauses
        if self._pause_began is not None:
            self._paused_s += now - self._pause_began
        self._pause_began = now if in_pause else None

    def _decision(self, name: str, data: Mapping[str, Any], time: datetime) -> None:
        data = {**data, **self._last_evidence}
        self.decisions.append(
            self._ctx.journal.append(Kind.DECISION, name, data, source="argo-rollouts", time=time)
        )

    def _decide(self, verdict: Verdict) -> datetime:
        """Write the end down; when it was seen."""
        names = {Verdict.PROMOTED: "promoted", Verdict.ROLLED_BACK: "aborted"}
        # Argo's own abortedAt has whole seconds only: it is kept in the data, the moment seen is the time.
        now = self._aborted or self._promoted or self._ctx.world.clock.now()
        name = names.get(verdict, verdict.value)
        message = self._gave_up or self.last.message
        self._decision(name, {"message": message, "aborted_at": self.last.aborted_at}, now)
        self._ctx.say(f"{name}: {message}" if message else name)
        return now


@dataclass(frozen=True)
class Seen:
    """A status, and when the watch gave it: drawing a picture meanwhile must not move the moment."""

    status: RolloutStatus
    at: datetime
    monotonic: float
    evidence: Mapping[str, Any]
    """The record that it was read from, as data of an entry."""


class _Feed:
    """Rollout statuses from a watch in a thread."""

    def __init__(self, ctx: PhaseContext, timeout_s: float) -> None:
        self._queue: queue.Queue[Seen | RollbookError] = queue.Queue()
        self._closed = threading.Event()
        self._ctx = ctx
        self._thread = threading.Thread(target=self._watch, args=(timeout_s,), name="watch", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: the watch is over and all of it was taken."""
        return not self._thread.is_alive() and self._queue.empty()

    def _watch(self, timeout_s: float) -> None:
        clock = self._ctx.world.clock
        deadline, outage = clock.monotonic() + timeout_s, Outage(self._ctx)
        try:
            while not self._closed.is_set() and (left := deadline - clock.monotonic()) > 0:
                try:
                    self._watch_once(left, outage)
                except EnvironmentFailedError as error:
                    outage.goes_on(error)
                    clock.sleep(AGAIN_S)
        except RollbookError as error:
            self._queue.put(error)
        except MemoryError as error:
            self._queue.put(EnvironmentFailedError("this machine is out of memory", why=str(error)))
        except Exception as error:  # a thread must not die silently: the follower raises it
            self._queue.put(EnvironmentFailedError("the watch of the Rollout broke", why=repr(error)))

    def _watch_once(self, timeout_s: float, outage: Outage) -> None:
        service, clock = self._ctx.service, self._ctx.world.clock
        watch = self._ctx.world.cluster.watch_rollout(service.namespace, service.rollout, timeout_s=timeout_s)
        for status in watch:
            asked = self._ctx.journal.last_asked()
            self._queue.put(Seen(status, clock.now(), clock.monotonic(), asked))
            outage.over()
            if self._closed.is_set():
                return

    def next(self, timeout_s: float) -> Seen | None:
        """The next status, None when there was none in time. Raises what ended the watch."""
        try:
            item = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(item, RollbookError):
            raise item
        return item

    def close(self) -> None:
        """Let the thread end with its next status."""
        self._closed.set()
