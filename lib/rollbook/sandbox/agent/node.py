"""The Node object, its heartbeat and its Lease."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import platform
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import psutil

from rollbook import __version__
from rollbook.sandbox.agent.api import CONFLICT, NOT_FOUND, ApiClient, ApiError
from rollbook.sandbox.agent.clock import rfc3339, rfc3339_micro
from rollbook.sandbox.agent.config import AgentConfig

log = logging.getLogger(__name__)

RUNTIME = f"rollbook-agent://{__version__}"
_MAX_PODS = 110
_LEASE_S = 40
_RENEW_S = 10.0
_STATUS_S = 60.0
_RETRY_S = 1.0
_LOW_MEMORY = 100 * 2**20
_LOW_DISK = 2**30
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class NodeKeeper:
    """Registers the node and keeps it alive in the eyes of the node-lifecycle controller."""

    def __init__(self, api: ApiClient, config: AgentConfig) -> None:
        self._api = api
        self._config = config
        self._path = f"/api/v1/nodes/{config.node_name}"
        self._uid = ""
        self._since: dict[str, tuple[str, str]] = {}

    async def run(self) -> None:
        """Register, then renew the Lease each 10 s and the status each minute, until cancelled."""
        await self._until_done(self.register)
        reported = -math.inf
        while True:
            try:
                await self._renew()
                if time.monotonic() - reported >= _STATUS_S:
                    await self.report()
                    reported = time.monotonic()
            except ApiError as error:
                log.warning("heartbeat: %s", error)
                if error.status == NOT_FOUND:  # somebody deleted the node
                    await self._until_done(self.register)
                # After an outage the node counts as lost, and only a report of its status brings it back.
                reported = -math.inf
                await asyncio.sleep(_RETRY_S)
                continue
            await asyncio.sleep(_RENEW_S)

    async def register(self) -> None:
        """Create the Node if there is none, and report its status."""
        name = self._config.node_name
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": _architecture(),
        }
        try:
            node = await self._api.get(self._path)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
            node = await self._api.post("/api/v1/nodes", {**body, "status": self._status()})
        self._uid = node["metadata"]["uid"]
        await self.report()

    async def report(self) -> None:
        """Report what the node has and how it is."""
        await self._api.patch(f"{self._path}/status", {"status": self._status()})

    async def _until_done(self, step: Any) -> None:
        while True:
            try:
                await step()
            except ApiError as error:
                log.warning("the node is not registered yet: %s", error)
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _renew(self) -> None:
        name = self._config.node_name
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": self._uid}
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": _LEASE_S,
            "renewTime": rfc3339_micro(time.time()),
        }
        try:
            await self._api.patch(f"{leases}/{name}", {"spec": spec})
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            lease = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "ownerReferences": [owner]},
                "spec": spec,
            }
            try:
                await self._api.post(leases, lease)
            except ApiError as conflict:
                if conflict.status != CONFLICT:
                    raise

    def _status(self) -> dict[str, Any]:
        memory = psutil.virtual_memory()
        disk = shutil.disk_usage(_existing(self._config.state))
        resources = {
            "cpu": str(os.cpu_count() or 1),
            "memory": f"{memory.total // 1024}Ki",
            "ephemeral-storage": f"{disk.total // 1024}Ki",
            "pods": str(_MAX_PODS),
        }
        return {
            "capacity": resources,
            "allocatable": resources,
            "addresses": [
                {"type": "InternalIP", "address": self._config.node_ip},
                {"type": "Hostname", "address": self._config.node_name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._config.port}},
            "conditions": [
                self._condition(
                    "MemoryPressure",
                    memory.available < _LOW_MEMORY,
                    f"{memory.available >> 20} MiB available",
                ),
                self._condition("DiskPressure", disk.free < _LOW_DISK, f"{disk.free >> 20} MiB free"),
                self._condition("PIDPressure", False, "not limited"),
                self._condition("Ready", True, "the node agent runs"),
            ],
            "nodeInfo": {
                "machineID": uuid.uuid5(uuid.NAMESPACE_DNS, platform.node()).hex,
                "systemUUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, str(self._config.state))),
                "bootID": _read("/proc/sys/kernel/random/boot_id"),
                "kernelVersion": platform.release(),
                "osImage": platform.platform(terse=True),
                "containerRuntimeVersion": RUNTIME,
                "kubeletVersion": f"v{__version__}-rollbook",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": _architecture(),
            },
        }

    def _condition(self, kind: str, true: bool, message: str) -> dict[str, str]:
        status = "True" if true else "False"
        now = rfc3339(time.time())
        before, since = self._since.get(kind, ("", now))
        since = since if before == status else now
        self._since[kind] = (status, since)
        return {
            "type": kind,
            "status": status,
            "reason": f"Agent{kind}" if true else f"AgentNo{kind}",
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": since,
        }


def _architecture() -> str:
    return _MACHINES.get(platform.machine(), platform.machine())


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _read(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except OSError:
        return ""
