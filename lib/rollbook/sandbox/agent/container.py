from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from rollbook.errors import BadInputError
from rollbook.sandbox.agent.backoff import FIRST_S, LIMIT_S, Backoff
from rollbook.sandbox.agent.environment import ConfigError, Placement
from rollbook.sandbox.agent.launch import Launch, load_surroundings, prepare, save_surroundings
from rollbook.sandbox.agent.local_images import ImageError, LocalImage
from rollbook.sandbox.agent.logs import LogKeeper
from rollbook.sandbox.agent.podspec import ContainerSpec, PodSpec
from rollbook.sandbox.agent.processes import ContainerProcess
from rollbook.sandbox.agent.records import ContainerRecord, PodFolder, Running, Terminated, Waiting
from rollbook.sandbox.agent.run import ContainerRun, Told
from rollbook.sandbox.agent.services import Services

log = logging.getLogger(__name__)

START_FAILED = 128
_CONFIG_RETRY_S = (1.0, 2.0, 5.0, 10.0)
_PULL_ERROR_SHOWN_S = 1.0


@dataclass(frozen=True)
class Home:
    """The pod that a container lives in; `save` keeps a record on disk and tells the API."""

    pod: PodSpec
    folder: PodFolder
    place: Placement
    services: Services
    save: Callable[[ContainerRecord], None]


class Container:
    """One container over its restarts: started, restarted with back-off, stopped."""

    def __init__(
        self, home: Home, spec: ContainerSpec, record: ContainerRecord | None, *, init: bool
    ) -> None:
        self.spec = spec
        self.record = record or ContainerRecord(spec.name)
        self._home = home
        self._init = init
        self._run: ContainerRun | None = None
        self._stopping = False

    async def run(self) -> None:
        """Run until it has ended for good; an agent started anew goes on where the one before was."""
        if isinstance(self.record.state, Running):
            await self._adopt(self.record.state)
        elif isinstance(self.record.state, Waiting) and self.record.last is not None:
            # The wait in force was noted as half of the next one.
            await self._wait_to_restart(
                self.record.last, min(LIMIT_S, max(FIRST_S, self.record.backoff_s / 2))
            )
        while not self._stopping:
            if isinstance(self.record.state, Terminated):
                if not self._restarts(self.record.state):
                    return
                await self._back_off(self.record.state)
            await self._attempt_once()

    @property
    def keeper(self) -> LogKeeper | None:
        """Who looks after the log of the current run; None when it does not run."""
        return None if self._run is None else self._run.keeper

    def log_folder(self, *, previous: bool) -> Path | None:
        """Folder with the log of the current run, or of the one before; None when there is none."""
        attempt = self.record.restarts - previous
        folder = self._home.folder.attempt(self.spec.name, attempt)
        return folder if folder.is_dir() else None

    async def stop(self, grace_s: float) -> None:
        """End it for good, within the grace period. Returns when it has ended."""
        self._stopping = True
        if self._run is not None:
            self._tell("Killing", f"Stopping container {self.spec.name}")
            await self._run.end(grace_s)

    def kill(self) -> None:
        """End it for good, now."""
        self._stopping = True
        if self._run is not None:
            self._run.kill()

    def _set(self, record: ContainerRecord) -> None:
        if record != self.record:
            self.record = record
            self._home.save(record)

    def _warn(self, reason: str, message: str) -> None:
        self._home.services.events.warning(self._home.pod, reason, message, self.spec.name)

    def _tell(self, reason: str, message: str) -> None:
        self._home.services.events.normal(self._home.pod, reason, message, self.spec.name)

    def _restarts(self, end: Terminated) -> bool:
        policy = self._home.pod.restart_policy
        if self._init or policy == "OnFailure":
            return end.exit_code != 0 and policy != "Never"
        return policy == "Always"

    async def _back_off(self, end: Terminated) -> None:
        """Wait as long as the failures so far ask for."""
        ran_s = end.finished_at - end.started_at
        delay, backoff = Backoff(self.record.backoff_s).after_failure(ran_s=ran_s)
        self._set(replace(self.record, last=end, backoff_s=backoff.delay_s, ready=False, started=False))
        await self._wait_to_restart(end, delay)

    async def _wait_to_restart(self, end: Terminated, delay: float) -> None:
        left = end.finished_at + delay - time.time()
        pod = self._home.pod
        if left > 0:
            label = f"container {self.spec.name} in pod {pod.name}_{pod.namespace}({pod.uid})"
            message = f"back-off {delay:g}s restarting failed {label}"
            self._set(replace(self.record, state=Waiting("CrashLoopBackOff", message)))
            self._warn("BackOff", f"Back-off restarting failed {label}")
            await asyncio.sleep(left)
        self._set(replace(self.record, restarts=self.record.restarts + 1))
        self._home.folder.forget_attempts(self.spec.name, self.record.restarts - 1)

    async def _attempt_once(self) -> None:
        """One run, from image to end; leaves `Terminated` in the record unless it is being stopped."""
        image = await self._pull()
        begun = time.time()
        try:
            launch = await self._configure(image)
            if self._stopping:
                return
            run = self._start(launch, image)
        except (BadInputError, OSError) as error:
            self._warn("Failed", f"Error: {error}")
            end = Terminated(START_FAILED, "StartError", begun, time.time(), uuid4().hex, message=str(error))
            self._set(replace(self.record, state=end, ready=False, started=False, image_id=image.image_id))
            return
        await self._attend(run, fresh=True)

    async def _pull(self) -> LocalImage:
        """The image, however long it takes to be there."""
        backoff_s = FIRST_S
        while True:
            try:
                image = await self._home.services.images.fetch(self.spec.image)
            except ImageError as error:
                self._warn("Failed", f'Failed to pull image "{self.spec.image}": {error}')
                self._warn("Failed", f"Error: {error.reason}")
                self._set(replace(self.record, state=Waiting(error.reason, str(error))))
                await asyncio.sleep(_PULL_ERROR_SHOWN_S)
                message = f'Back-off pulling image "{self.spec.image}": {error}'
                self._set(replace(self.record, state=Waiting("ImagePullBackOff", message)))
                self._tell("BackOff", f'Back-off pulling image "{self.spec.image}"')
                await asyncio.sleep(backoff_s)
                backoff_s = min(LIMIT_S, backoff_s * 2)
                continue
            if image.seconds:
                self._tell(
                    "Pulled", f'Successfully unpacked image "{self.spec.image}" in {image.seconds:.3f}s'
                )
            else:
                self._tell("Pulled", f'Container image "{self.spec.image}" already present on machine')
            return image

    async def _configure(self, image: LocalImage) -> Launch:
        """Command and environment, however long it takes until all that they name is there."""
        failures = 0
        while True:
            try:
                return await prepare(
                    self._home.pod,
                    self.spec,
                    self._home.place,
                    image.unpacked,
                    attempt=self._attempt_folder(),
                    folder=self._home.folder,
                    tools=self._home.services.tools,
                    objects=self._home.services.objects,
                )
            except ConfigError as error:
                self._set(replace(self.record, state=Waiting("CreateContainerConfigError", str(error))))
                self._warn("Failed", f"Error: {error}")
            await asyncio.sleep(_CONFIG_RETRY_S[min(failures, len(_CONFIG_RETRY_S) - 1)])
            failures += 1

    def _attempt_folder(self) -> Path:
        return self._home.folder.attempt(self.spec.name, self.record.restarts)

    def _start(self, launch: Launch, image: LocalImage) -> ContainerRun:
        folder = self._attempt_folder()
        container_id = uuid4().hex + uuid4().hex
        save_surroundings(launch.here, folder)
        process = ContainerProcess.start(
            launch.command,
            env=launch.here.env,
            cwd=launch.here.cwd,
            folder=folder,
            container_id=container_id,
        )
        self._set(
            replace(
                self.record,
                state=Running(time.time(), process.ref),
                container_id=container_id,
                image_id=image.image_id,
                started=False,
                ready=False,
            )
        )
        self._tell("Created", f"Created container: {self.spec.name}")
        self._tell("Started", f"Started container {self.spec.name}")
        return self._new_run(process, launch)

    def _new_run(self, process: ContainerProcess, launch: Launch) -> ContainerRun:
        state = self.record.state
        return ContainerRun(
            self.spec,
            process,
            launch.here,
            container_id=self.record.container_id,
            started_at=state.started_at if isinstance(state, Running) else time.time(),
            attempt=self._attempt_folder(),
            grace_s=self._home.pod.grace_s,
            services=self._home.services,
            told=Told(self._tell, self._warn, self._probed),
        )

    async def _attend(self, run: ContainerRun, *, fresh: bool) -> None:
        self._run = run
        try:
            end = await run.attend(fresh=fresh, started=self.record.started)
        finally:
            self._run = None
        self._set(replace(self.record, state=end, ready=False, started=False))

    async def _adopt(self, state: Running) -> None:
        """Take over a run of the agent before this one, be it over or not."""
        folder = self._attempt_folder()
        process = ContainerProcess.adopt(state.process, folder, self.record.container_id)
        try:
            here = load_surroundings(folder)
        except (OSError, ValueError, KeyError) as error:
            log.warning("%s cannot be taken over and is ended: %s", self.spec.name, error)
            process.kill()
            now = time.time()
            lost = Terminated(137, "ContainerStatusUnknown", state.started_at, now, self.record.container_id)
            self._set(replace(self.record, state=lost, ready=False, started=False))
            return
        await self._attend(self._new_run(process, Launch((), here)), fresh=False)

    def _probed(self, started: bool | None, ready: bool | None) -> None:
        record = self.record
        self._set(
            replace(
                record,
                started=record.started if started is None else started,
                ready=record.ready if ready is None else ready,
            )
        )
