"""One run of a container, from its start to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rollbook.sandbox.agent.actions import Outcome, Surroundings, perform
from rollbook.sandbox.agent.launch import termination_message
from rollbook.sandbox.agent.logs import LogKeeper, last_lines
from rollbook.sandbox.agent.podspec import ContainerSpec, Probe
from rollbook.sandbox.agent.probes import Tally, watch_probe
from rollbook.sandbox.agent.processes import KILLED, ContainerProcess, Exit
from rollbook.sandbox.agent.records import Terminated
from rollbook.sandbox.agent.services import Services

_LEAST_GRACE_S = 2.0
"""What SIGTERM gets when the preStop hook has used up the grace period, as with the kubelet."""

_MESSAGE_BYTES = 4096
_LOG_MESSAGE_BYTES = 2048
_LOG_MESSAGE_LINES = 80
_SIGNALS = range(129, 193)


@dataclass(frozen=True)
class Told:
    """Whom a run tells: events by (reason, message), and what its probes found (None: as before)."""

    normal: Callable[[str, str], None]
    warning: Callable[[str, str], None]
    probed: Callable[[bool | None, bool | None], None]


class ContainerRun:
    """A container's process while it lives: probed, its memory watched, ended when it must be."""

    def __init__(
        self,
        spec: ContainerSpec,
        process: ContainerProcess,
        here: Surroundings,
        *,
        container_id: str,
        started_at: float,
        attempt: Path,
        grace_s: float,
        services: Services,
        told: Told,
    ) -> None:
        self.keeper = LogKeeper(attempt, services.files)
        self._spec = spec
        self._process = process
        self._here = here
        self._id = container_id
        self._started_at = started_at
        self._attempt = attempt
        self._grace_s = grace_s
        self._memory = services.memory
        self._told = told
        self._exited = asyncio.Event()
        self._out_of_memory = False
        self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def attend(self, *, fresh: bool, started: bool) -> Terminated:
        """Look after the process until it ends; when cancelled (the agent goes), the process stays.

        `fresh` says that it was not adopted, `started` that its startup probe has passed.
        """
        if self._spec.memory_limit is not None:
            self._memory.add(self._id, self._process.ref.shim, self._spec.memory_limit, self._too_much)
        try:
            if fresh and self._spec.post_start is not None:
                self._spawn(self._post_start())
            if self._spec.startup is not None and not started:
                self._probe(self._spec.startup)
            else:
                self._after_startup()
            ended = await self._process.wait()
        finally:
            self._memory.remove(self._id)
            for task in self._tasks:
                task.cancel()
            self.keeper.close()
        self._exited.set()
        return self._terminated(ended)

    async def end(self, grace_s: float) -> None:
        """preStop hook, SIGTERM, and SIGKILL after the grace period; returns when the process has ended."""
        self._ending = True
        deadline = time.monotonic() + grace_s
        if self._spec.pre_stop is not None and grace_s > 0:
            hook = asyncio.ensure_future(perform(self._spec.pre_stop, self._here, grace_s))
            exited = asyncio.ensure_future(self._exited.wait())
            try:
                await asyncio.wait({hook, exited}, return_when=asyncio.FIRST_COMPLETED)
                if hook.done() and not hook.result().ok:
                    self._told.warning("FailedPreStopHook", f"PreStopHook failed: {hook.result().detail}")
            finally:
                hook.cancel()
                exited.cancel()
        self._process.terminate()
        left = deadline - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(left, _LEAST_GRACE_S) if grace_s > 0 else 0):
                await self._exited.wait()
                return
        self._process.kill()
        await self._exited.wait()

    def kill(self) -> None:
        """SIGKILL, now."""
        self._ending = True
        self._process.kill()

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]  # coroutines only
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _probe(self, probe: Probe) -> None:
        self._spawn(watch_probe(probe, time.time() - self._started_at, self._check, self._probed))

    async def _check(self, probe: Probe) -> Outcome:
        return await perform(probe.action, self._here, probe.timeout_s)

    def _after_startup(self) -> None:
        """The container has started: the other probes begin; without a readiness probe it is ready."""
        self._told.probed(True, True if self._spec.readiness is None else None)
        for probe in (self._spec.readiness, self._spec.liveness):
            if probe is not None:
                self._probe(probe)

    def _probed(self, probe: Probe, outcome: Outcome, tally: Tally) -> None:
        if not outcome.ok:
            self._told.warning("Unhealthy", f"{probe.kind.capitalize()} probe failed: {outcome.detail}")
        if tally.verdict is None:
            return
        if probe.kind == "readiness":
            self._told.probed(None, tally.verdict)
        elif tally.verdict and probe.kind == "startup":
            self._after_startup()
        elif not tally.verdict and not self._ending:
            message = f"Container {self._spec.name} failed {probe.kind} probe, will be restarted"
            self._restart(message, self._grace_s if probe.grace_s is None else probe.grace_s)

    def _restart(self, message: str, grace_s: float) -> None:
        self._ending = True
        self._told.normal("Killing", message)
        self._spawn(self.end(grace_s))

    async def _post_start(self) -> None:
        if self._spec.post_start is None:
            return
        outcome = await perform(self._spec.post_start, self._here, None)
        if not outcome.ok and not self._ending:
            self._told.warning("FailedPostStartHook", f"PostStartHook failed: {outcome.detail}")
            self._restart(f"Container {self._spec.name} failed its postStart hook", self._grace_s)

    def _too_much(self, used: int) -> None:
        self._out_of_memory = True
        limit = self._spec.memory_limit or 0
        message = f"Container {self._spec.name} uses {used >> 20} MiB of {limit >> 20} MiB: killed"
        self._told.warning("OOMKilling", message)
        self.kill()

    def _terminated(self, ended: Exit) -> Terminated:
        code = KILLED if self._out_of_memory else ended.code
        reason = "OOMKilled" if self._out_of_memory else "Error" if code else "Completed"
        message = termination_message(self._attempt, _MESSAGE_BYTES)
        if not message and code and self._spec.message_from_log:
            message = last_lines(self._attempt, lines=_LOG_MESSAGE_LINES, limit=_LOG_MESSAGE_BYTES)
        return Terminated(
            exit_code=code,
            reason=reason,
            started_at=self._started_at,
            finished_at=ended.finished_at or time.time(),
            container_id=self._id,
            # The shim tells a death by signal as 128 + signal; a program that exits so means the same.
            signal=code - 128 if code in _SIGNALS else 0,
            message=message,
        )
