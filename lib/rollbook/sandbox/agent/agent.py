from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from rollbook.sandbox.agent.addresses import AddressPool
from rollbook.sandbox.agent.api import ApiClient, Json, Listed
from rollbook.sandbox.agent.config import AgentConfig
from rollbook.sandbox.agent.events import EventRecorder
from rollbook.sandbox.agent.inotify import FileWatcher
from rollbook.sandbox.agent.launch import SANDBOX_VARIABLE
from rollbook.sandbox.agent.local_images import LocalImages
from rollbook.sandbox.agent.memory import MemoryWatch
from rollbook.sandbox.agent.node import NodeKeeper
from rollbook.sandbox.agent.objects import ApiObjects
from rollbook.sandbox.agent.paths import write_tools
from rollbook.sandbox.agent.pod import PodWorker
from rollbook.sandbox.agent.processes import CONTAINER_VARIABLE, ContainerProcess
from rollbook.sandbox.agent.records import PodFolder, PodRecord, Running, saved_records
from rollbook.sandbox.agent.server import KubeletServer
from rollbook.sandbox.agent.services import Services

log = logging.getLogger(__name__)

_FLUSH_S = 2.0


class Agent:
    """The node: registers, watches the pods bound to it, and gives each a worker."""

    def __init__(self, config: AgentConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._records: dict[str, PodRecord] = {}

    def find(self, namespace: str, name: str) -> PodWorker | None:
        """A pod by name; None when it is not on this node."""
        found = [
            pod for pod in self._workers.values() if (pod.spec.namespace, pod.spec.name) == (namespace, name)
        ]
        return found[-1] if found else None

    def pods(self) -> list[PodWorker]:
        """All pods on this node."""
        return list(self._workers.values())

    async def run(self) -> None:
        """Work until cancelled; the pods stay."""
        server = KubeletServer(self._config, self)
        node = NodeKeeper(self._services.api, self._config)
        await server.start()
        self._remember()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(node.run())
                group.create_task(self._services.events.run())
                group.create_task(self._services.memory.run())
                group.create_task(self._follow())
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await server.stop()

    def _remember(self) -> None:
        """Take up what an earlier agent left."""
        for record in saved_records(self._services.pods):
            if record.address:
                self._services.addresses.claim(record.uid, record.address)
            self._records[record.uid] = record
        _sweep(
            {container.container_id for record in self._records.values() for container in record.containers}
        )

    async def _follow(self) -> None:
        selector = f"spec.nodeName={self._config.node_name}"
        async for event in self._services.api.follow("/api/v1/pods", selector):
            if isinstance(event, Listed):
                self._listed(event)
            elif event.change == "DELETED":
                self._gone(event.item["metadata"]["uid"])
            else:
                self._seen(event.item)

    def _listed(self, event: Listed) -> None:
        there = {item["metadata"]["uid"] for item in event.items}
        for item in event.items:
            self._seen(item)
        for uid in set(self._workers) - there:
            self._gone(uid)
        for uid, record in list(self._records.items()):
            if uid not in there:
                self._discard(record)

    def _seen(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self._workers:
            self._workers[uid].update(pod)
            return
        record = self._records.pop(uid, None)
        over = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
        if record is None and over and not pod["metadata"].get("deletionTimestamp"):
            return  # nothing of it is here; it must not be run a second time
        worker = PodWorker(pod, self._services, record)
        self._workers[uid] = worker
        task = asyncio.create_task(worker.run(), name=f"pod {worker.spec.namespace}/{worker.spec.name}")
        self._tasks[uid] = task
        task.add_done_callback(lambda done: self._finished(uid, done))

    def _gone(self, uid: str) -> None:
        if worker := self._workers.get(uid):
            worker.gone()

    def _finished(self, uid: str, task: asyncio.Task[None]) -> None:
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    def _discard(self, record: PodRecord) -> None:
        """The pod was deleted while no agent was there."""
        folder = PodFolder(self._services.pods, record.uid)
        for container in record.containers:
            if isinstance(container.state, Running):
                attempt = folder.attempt(container.name, container.restarts)
                ContainerProcess.adopt(container.state.process, attempt, container.container_id).kill()
        self._services.addresses.release(record.uid)
        folder.remove()
        del self._records[record.uid]


def _sweep(known: set[str]) -> None:
    """End containers of this sandbox that no record tells of: the agent died just after starting them."""
    sandbox = os.environ.get(SANDBOX_VARIABLE)
    if not sandbox:
        return
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            env = process.environ()
            container_id = env.get(CONTAINER_VARIABLE)
            if container_id and env.get(SANDBOX_VARIABLE) == sandbox and container_id not in known:
                process.kill()


async def serve(config: AgentConfig) -> None:
    """Run the node agent until SIGTERM or SIGINT. EnvironmentFailedError when it cannot start."""
    _make_folders(config.state)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    files = FileWatcher()
    try:
        async with ApiClient(config) as api:
            services = Services(
                config=config,
                api=api,
                objects=ApiObjects(api),
                events=EventRecorder(api, config.node_name),
                images=LocalImages(config.images, config.state / "images"),
                addresses=AddressPool(config.subnet),
                memory=MemoryWatch(),
                files=files,
            )
            write_tools(services.tools)
            work = asyncio.create_task(Agent(config, services).run())
            stop = asyncio.create_task(stopped.wait())
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            if not work.done():
                await services.events.flush(_FLUSH_S)
                work.cancel()
            with suppress(asyncio.CancelledError):
                await work
    finally:
        files.close()


def _make_folders(state: Path) -> None:
    for folder in (state, state / "pods"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
