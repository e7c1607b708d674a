from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.agent.api import CONFLICT, NOT_FOUND, ApiError, Json
from rollbook.sandbox.agent.container import Container, Home
from rollbook.sandbox.agent.environment import ConfigError, Placement
from rollbook.sandbox.agent.launch import POD_VARIABLE
from rollbook.sandbox.agent.podparse import parse_pod
from rollbook.sandbox.agent.podspec import PodSpec
from rollbook.sandbox.agent.processes import sweep
from rollbook.sandbox.agent.records import ContainerRecord, PodFolder, PodRecord, Terminated
from rollbook.sandbox.agent.refusal import refusal
from rollbook.sandbox.agent.services import Services
from rollbook.sandbox.agent.status import pod_status
from rollbook.sandbox.agent.volumes import token_lifetimes, volume_lifetimes, write_volume

log = logging.getLogger(__name__)

_MOUNT_RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_API_RETRY_S = 0.5
_GATHER_S = 0.01
"""Changes that come together are reported together."""
_TOKEN_AGE = 0.8
"""A token is replaced after this share of its life, as the kubelet does."""


@dataclass(frozen=True)
class _Deletion:
    grace_s: float


class PodWorker:
    """One pod on this node, from binding to deletion."""

    def __init__(self, pod: Json, services: Services, record: PodRecord | None) -> None:
        self.spec: PodSpec = parse_pod(pod)
        self._services = services
        self._folder = PodFolder(services.pods, self.spec.uid)
        self._known: Mapping[str, Any] = pod.get("status") or {}
        self._refused = refusal(pod) or ""
        self._saved = record
        self._deletion: _Deletion | None = None
        self._deleting = asyncio.Event()
        self._gone = asyncio.Event()
        self._changed = asyncio.Event()
        self._over = False
        self._reported = ""
        self._reporting = asyncio.Lock()
        self._containers: dict[str, Container] = {}
        self._record = record or PodRecord(
            self.spec.uid, self.spec.namespace, self.spec.name, "", time.time(), refused=self._refused
        )
        self.update(pod)

    def update(self, pod: Json) -> None:
        """The API has a newer version of the pod."""
        self._known = pod.get("status") or self._known
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            self._deletion = _Deletion(float(meta.get("deletionGracePeriodSeconds") or 0))
            self._deleting.set()
        if self.spec.readiness_gates:
            self._changed.set()

    def gone(self) -> None:
        """The API has the pod no more: end what is left of it at once."""
        self._gone.set()
        self._deleting.set()

    @property
    def address(self) -> str:
        """The pod's address; empty when it has none."""
        return self._record.address

    def container(self, name: str) -> Container | None:
        """A container of the pod; None when there is none of that name or it was not begun."""
        return self._containers.get(name)

    async def run(self) -> None:
        """See the pod through. When cancelled (the agent goes), its processes and files stay."""
        live = asyncio.create_task(self._live())
        deleting = asyncio.create_task(self._deleting.wait())
        report = asyncio.create_task(self._report())
        try:
            done, _ = await asyncio.wait({live, deleting}, return_when=asyncio.FIRST_COMPLETED)
            if live in done:
                self._tell_of_failure(live)
                await deleting
            await self._terminate(live)
            self._clean_up()
        finally:
            for task in (live, deleting, report):
                task.cancel()
            await asyncio.gather(live, deleting, report, return_exceptions=True)

    async def _live(self) -> None:
        """Run the pod's containers until all have ended for good."""
        if self._deleting.is_set() and self._saved is None:
            return
        self._folder.create()
        if self._record.refused:
            if self._saved is None:
                self._save(self._record)
                self._services.events.warning(self.spec, "UnsupportedPod", self._record.refused)
            self._changed.set()
            return
        if not self._record.address:
            await self._take_address()
        place = Placement(
            self._services.config.node_name, self._services.config.node_ip, self._record.address
        )
        if self._saved is None:
            await self._write_volumes(place)
        refresh = asyncio.create_task(self._refresh_tokens(place))
        try:
            home = Home(self.spec, self._folder, place, self._services, self._container_changed)
            for spec in self.spec.init_containers:
                container = Container(home, spec, self._record.container(spec.name), init=True)
                self._containers[spec.name] = container
                await container.run()
                if not _succeeded(container.record):
                    return
            for spec in self.spec.containers:
                self._containers[spec.name] = Container(
                    home, spec, self._record.container(spec.name), init=False
                )
            await asyncio.gather(*(self._containers[spec.name].run() for spec in self.spec.containers))
        finally:
            refresh.cancel()

    async def _take_address(self) -> None:
        while True:
            try:
                address = self._services.addresses.allocate(self.spec.uid)
            except EnvironmentFailedError as error:
                self._services.events.warning(self.spec, "FailedCreatePodSandBox", str(error))
                await asyncio.sleep(_MOUNT_RETRY_S[-1])
                continue
            self._save(replace(self._record, address=address))
            self._changed.set()
            return

    async def _write_volumes(self, place: Placement) -> None:
        objects = self._services.objects
        for volume in self.spec.volumes:
            failures = 0
            while True:
                folder = self._folder.volumes / volume.name
                try:
                    await write_volume(volume, folder, self.spec, place, objects, objects)
                    break
                except (ConfigError, OSError) as error:
                    message = f'MountVolume.SetUp failed for volume "{volume.name}" : {error}'
                    self._services.events.warning(self.spec, "FailedMount", message)
                await asyncio.sleep(_MOUNT_RETRY_S[min(failures, len(_MOUNT_RETRY_S) - 1)])
                failures += 1

    async def _refresh_tokens(self, place: Placement) -> None:
        """Put new tokens in place before the old ones end. An adopted pod gets new ones at once."""
        lifetimes = token_lifetimes(self.spec)
        if not lifetimes:
            return
        wait = 0.0 if self._saved is not None else min(lifetimes) * _TOKEN_AGE
        while True:
            await asyncio.sleep(wait)
            wait = min(lifetimes) * _TOKEN_AGE
            for volume in self.spec.volumes:
                if volume_lifetimes(volume):
                    objects = self._services.objects
                    try:
                        await write_volume(
                            volume, self._folder.volumes / volume.name, self.spec, place, objects, objects
                        )
                    except (ConfigError, OSError) as error:
                        log.warning(
                            "token of %s/%s not renewed: %s", self.spec.namespace, self.spec.name, error
                        )
                        wait = _MOUNT_RETRY_S[-1]

    def _container_changed(self, record: ContainerRecord) -> None:
        self._save(self._record.with_container(record))
        self._changed.set()

    def _save(self, record: PodRecord) -> None:
        self._record = record
        try:
            self._folder.save(record)
        except OSError as error:  # the pod goes on; only an agent started anew would not know of it
            log.warning("record of %s/%s not saved: %s", self.spec.namespace, self.spec.name, error)

    def _tell_of_failure(self, live: asyncio.Task[None]) -> None:
        """A fault of the agent's own must not take the pod's deletion away with it."""
        if (error := live.exception()) is not None:
            log.error("%s/%s failed", self.spec.namespace, self.spec.name, exc_info=error)
            self._services.events.warning(self.spec, "FailedSync", f"the node agent failed: {error!r}")

    async def _terminate(self, live: asyncio.Task[None]) -> None:
        """Stop all containers within the grace period; at once when the pod is gone from the API already."""
        grace_s = self._deletion.grace_s if self._deletion is not None else 0.0
        stops = asyncio.create_task(self._stop_containers(grace_s))
        gone = asyncio.create_task(self._gone.wait())
        await asyncio.wait({stops, gone}, return_when=asyncio.FIRST_COMPLETED)
        for container in self._containers.values():
            container.kill()
        await stops
        gone.cancel()
        running = [item for item in self._containers.values() if item.keeper is not None]
        if not running:
            live.cancel()
        await asyncio.wait({live})
        self._over = True
        while not self._gone.is_set():
            try:
                await self._push()
                await self._delete()
                break
            except ApiError as error:
                log.warning("%s", error)
                await asyncio.sleep(_API_RETRY_S)
        await self._gone.wait()

    async def _stop_containers(self, grace_s: float) -> None:
        await asyncio.gather(*(container.stop(grace_s) for container in self._containers.values()))

    async def _delete(self) -> None:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": self.spec.uid},
        }
        try:
            await self._services.api.delete(self.spec.path, options)
        except ApiError as error:
            if error.status not in {NOT_FOUND, CONFLICT}:
                raise
            self._gone.set()

    def _clean_up(self) -> None:
        sweep(POD_VARIABLE, self.spec.uid)
        self._services.addresses.release(self.spec.uid)
        self._folder.remove()

    async def _report(self) -> None:
        """Keep the API's picture of the pod up to date."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(_GATHER_S)
            self._changed.clear()
            try:
                await self._push()
            except ApiError as error:
                if error.status not in {NOT_FOUND, CONFLICT}:
                    log.warning("%s", error)
                    await asyncio.sleep(_API_RETRY_S)
                    self._changed.set()

    async def _push(self) -> None:
        """Send the status if it differs from the one sent before."""
        async with self._reporting:
            status = pod_status(
                self.spec,
                self._record,
                node_ip=self._services.config.node_ip,
                previous=self._known,
                now=time.time(),
                over=self._over,
            )
            text = json.dumps(status, sort_keys=True)
            if text == self._reported:
                return
            # The uid keeps a late report away from a new pod of the same name.
            body = {"metadata": {"uid": self.spec.uid}, "status": status}
            answer = await self._services.api.patch(f"{self.spec.path}/status", body)
            self._known = answer.get("status") or self._known
            self._reported = text


def _succeeded(record: ContainerRecord) -> bool:
    return isinstance(record.state, Terminated) and record.state.exit_code == 0
