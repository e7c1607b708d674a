"""What the agent remembers of a pod on disk, so that one started anew takes over what runs."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

log = logging.getLogger(__name__)
_FILE = "record.json"


@dataclass(frozen=True)
class ProcessRef:
    """A container's process: its shim's id and start (clock ticks since boot), which together are unique."""

    shim: int
    started_ticks: int


@dataclass(frozen=True)
class Waiting:
    """Not running yet, or not again."""

    reason: str
    message: str = ""


@dataclass(frozen=True)
class Running:
    """Running since `started_at` (seconds since the epoch)."""

    started_at: float
    process: ProcessRef


@dataclass(frozen=True)
class Terminated:
    """Ended. `signal` is 0 when no signal did it; times are seconds since the epoch."""

    exit_code: int
    reason: str
    started_at: float
    finished_at: float
    container_id: str
    signal: int = 0
    message: str = ""


@dataclass(frozen=True)
class ContainerRecord:
    """One container over its restarts. `started` and `ready` are what its probes said last."""

    name: str
    state: Waiting | Running | Terminated = Waiting("ContainerCreating")
    last: Terminated | None = None
    restarts: int = 0
    container_id: str = ""
    image_id: str = ""
    backoff_s: float = 0.0
    started: bool = False
    ready: bool = False


@dataclass(frozen=True)
class PodRecord:
    """A pod that the agent has taken on; `refused` tells why it will never run."""

    uid: str
    namespace: str
    name: str
    address: str
    start_time: float
    refused: str = ""
    containers: tuple[ContainerRecord, ...] = ()

    def container(self, name: str) -> ContainerRecord | None:
        """The record of a container, None when there is none yet."""
        return next((item for item in self.containers if item.name == name), None)

    def with_container(self, record: ContainerRecord) -> PodRecord:
        """The record with one container's part replaced or added."""
        others = tuple(record if item.name == record.name else item for item in self.containers)
        return replace(self, containers=others if record in others else (*others, record))


class PodFolder:
    """The folder of one pod: record, volumes, logs; all of it goes when the pod does."""

    def __init__(self, pods: Path, uid: str) -> None:
        self.path = pods / uid
        self.volumes = self.path / "volumes"
        self.home = self.path / "home"

    def create(self) -> None:
        """Make the folder, for its owner only."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.volumes.mkdir(mode=0o700, exist_ok=True)
        self.home.mkdir(mode=0o700, exist_ok=True)

    def attempt(self, container: str, attempt: int) -> Path:
        """Folder of one run of a container: its log, and its exit code once it has one."""
        return self.path / "containers" / container / str(attempt)

    def forget_attempts(self, container: str, before: int) -> None:
        """Remove the folders of runs older than `before`."""
        folder = self.path / "containers" / container
        if folder.is_dir():
            for old in folder.iterdir():
                if old.name.isdigit() and int(old.name) < before:
                    shutil.rmtree(old, ignore_errors=True)

    def save(self, record: PodRecord) -> None:
        """Write the record, whole or not at all."""
        fresh = self.path / f"{_FILE}.new"
        fresh.write_text(json.dumps(asdict(record)))
        fresh.replace(self.path / _FILE)

    def remove(self) -> None:
        """Remove everything of the pod."""
        shutil.rmtree(self.path, ignore_errors=True)


def saved_records(pods: Path) -> Iterator[PodRecord]:
    """Records of all pods on disk; a folder without a readable one is of no use and is removed."""
    if not pods.is_dir():
        return
    for folder in sorted(pods.iterdir()):
        try:
            yield _decode(json.loads((folder / _FILE).read_text()))
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("pod folder %s has no readable record and is removed: %s", folder.name, error)
            shutil.rmtree(folder, ignore_errors=True)


def _decode(content: dict[str, object]) -> PodRecord:
    containers = content.pop("containers")
    if not isinstance(containers, list):
        raise TypeError("'containers' is not a list")
    return PodRecord(**content, containers=tuple(_decode_container(item) for item in containers))  # type: ignore[arg-type]  # field types are those that save() wrote


def _decode_container(content: dict[str, object]) -> ContainerRecord:
    state, last = content.pop("state"), content.pop("last")
    return ContainerRecord(
        **content,  # type: ignore[arg-type]  # field types are those that save() wrote
        state=_decode_state(state),
        last=None if last is None else Terminated(**last),  # type: ignore[arg-type]  # as above
    )


def _decode_state(content: object) -> Waiting | Running | Terminated:
    if not isinstance(content, dict):
        raise TypeError("'state' is not an object")
    if "process" in content:
        return Running(content["started_at"], ProcessRef(**content["process"]))
    return Terminated(**content) if "exit_code" in content else Waiting(**content)
