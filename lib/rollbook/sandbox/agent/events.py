from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import uuid4

from rollbook.sandbox.agent.api import ApiClient, ApiError
from rollbook.sandbox.agent.clock import rfc3339
from rollbook.sandbox.agent.podspec import PodSpec

log = logging.getLogger(__name__)

_QUEUE = 1000
_REMEMBERED = 500


@dataclass(frozen=True)
class _Event:
    namespace: str
    name: str
    uid: str
    field: str
    kind: str
    reason: str
    message: str
    at: float

    @property
    def key(self) -> tuple[str, ...]:
        return (self.namespace, self.uid, self.field, self.kind, self.reason, self.message)


class EventRecorder:
    """Tells about pods in events of the API, equal ones counted. Events queue up: no pod waits for them."""

    def __init__(self, api: ApiClient, node_name: str) -> None:
        self._api = api
        self._node = node_name
        self._queue: asyncio.Queue[_Event] = asyncio.Queue(_QUEUE)
        self._known: OrderedDict[tuple[str, ...], tuple[str, int]] = OrderedDict()

    def normal(self, pod: PodSpec, reason: str, message: str, container: str = "") -> None:
        """Something that is as it should be."""
        self._add(pod, "Normal", reason, message, container)

    def warning(self, pod: PodSpec, reason: str, message: str, container: str = "") -> None:
        """Something that is not."""
        self._add(pod, "Warning", reason, message, container)

    def _add(self, pod: PodSpec, kind: str, reason: str, message: str, container: str) -> None:
        field = ""
        if container:
            group = (
                "initContainers" if any(c.name == container for c in pod.init_containers) else "containers"
            )
            field = f"spec.{group}{{{container}}}"
        event = _Event(pod.namespace, pod.name, pod.uid, field, kind, reason, message[:1024], time.time())
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            log.warning("event dropped, too many wait: %s %s", reason, message)

    async def run(self) -> None:
        """Send events until cancelled."""
        while True:
            event = await self._queue.get()
            try:
                await self._send(event)
            except ApiError as error:
                # A namespace that is being deleted takes no events; nobody would read them.
                log.info("event %s not recorded: %s", event.reason, error)
            self._queue.task_done()

    async def flush(self, timeout_s: float) -> None:
        """Wait until all is sent, at most so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._queue.join()
        except TimeoutError:
            log.warning("%d events were not sent in time", self._queue.qsize())

    async def _send(self, event: _Event) -> None:
        path = f"/api/v1/namespaces/{event.namespace}/events"
        known = self._known.get(event.key)
        if known is not None:
            name, count = known
            try:
                await self._api.patch(
                    f"{path}/{name}", {"count": count + 1, "lastTimestamp": rfc3339(event.at)}
                )
            except ApiError as error:
                if error.status != 404:  # events expire after an hour: then it is told anew
                    raise
            else:
                self._remember(event, name, count + 1)
                return
        name = f"{event.name[:230]}.{uuid4().hex[:16]}"
        involved = {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": event.namespace,
            "name": event.name,
            "uid": event.uid,
            **({"fieldPath": event.field} if event.field else {}),
        }
        await self._api.post(
            path,
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": event.namespace},
                "involvedObject": involved,
                "reason": event.reason,
                "message": event.message,
                "type": event.kind,
                "count": 1,
                "firstTimestamp": rfc3339(event.at),
                "lastTimestamp": rfc3339(event.at),
                "source": {"component": "rollbook-agent", "host": self._node},
                "reportingComponent": "rollbook-agent",
                "reportingInstance": self._node,
            },
        )
        self._remember(event, name, 1)

    def _remember(self, event: _Event, name: str, count: int) -> None:
        self._known[event.key] = (name, count)
        self._known.move_to_end(event.key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
