from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rollbook.sandbox.agent.addresses import AddressPool
from rollbook.sandbox.agent.api import ApiClient
from rollbook.sandbox.agent.config import AgentConfig
from rollbook.sandbox.agent.events import EventRecorder
from rollbook.sandbox.agent.inotify import FileWatcher
from rollbook.sandbox.agent.local_images import LocalImages
from rollbook.sandbox.agent.memory import MemoryWatch
from rollbook.sandbox.agent.objects import ApiObjects


@dataclass(frozen=True)
class Services:
    """What all pods of the node share."""

    config: AgentConfig
    api: ApiClient
    objects: ApiObjects
    events: EventRecorder
    images: LocalImages
    addresses: AddressPool
    memory: MemoryWatch
    files: FileWatcher

    @property
    def pods(self) -> Path:
        """Folder with a folder for each pod."""
        return self.config.state / "pods"

    @property
    def tools(self) -> Path:
        """Folder with the programs that stand in for those of a base image."""
        return self.config.state / "bin"
