"""What a pod asks for, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollbook.sandbox.agent.quantities import parse_quantity


@dataclass(frozen=True)
class HttpAction:
    """GET a page of the container; `port` is a number or the name of a container port."""

    path: str
    port: int | str
    host: str
    scheme: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TcpAction:
    """Open a connection to the container."""

    port: int | str
    host: str


@dataclass(frozen=True)
class ExecAction:
    """Run a command in the container's environment."""

    command: tuple[str, ...]


@dataclass(frozen=True)
class SleepAction:
    """Wait (hooks only)."""

    seconds: float


Action = HttpAction | TcpAction | ExecAction | SleepAction


@dataclass(frozen=True)
class Probe:
    """A probe with its thresholds; times in seconds. `kind` is `startup`, `readiness` or `liveness`."""

    kind: str
    action: Action
    initial_delay_s: float
    period_s: float
    timeout_s: float
    success_threshold: int
    failure_threshold: int
    grace_s: float | None


@dataclass(frozen=True)
class FieldRef:
    """A field of the pod, such as `status.podIP` or `metadata.labels['app']`."""

    path: str


@dataclass(frozen=True)
class ResourceRef:
    """A request or limit of a container, divided by `divisor` and rounded up."""

    container: str
    resource: str
    divisor: str


@dataclass(frozen=True)
class KeyRef:
    """One key of a `configmaps` or `secrets` object."""

    kind: str
    name: str
    key: str
    optional: bool


@dataclass(frozen=True)
class EnvVar:
    """An environment variable: a literal (with `$(NAME)` to be expanded) or where its value comes from."""

    name: str
    value: str | FieldRef | ResourceRef | KeyRef


@dataclass(frozen=True)
class EnvFrom:
    """All keys of a `configmaps` or `secrets` object, each with a prefix."""

    kind: str
    name: str
    prefix: str
    optional: bool


@dataclass(frozen=True)
class Mount:
    """Where a volume, or the part `sub_path` of it, shows in the container."""

    volume: str
    path: str
    sub_path: str


@dataclass(frozen=True)
class ObjectFiles:
    """Files out of a `configmaps` or `secrets` object: all keys, or `items` of (key, path, mode)."""

    kind: str
    name: str
    items: tuple[tuple[str, str, int | None], ...]
    optional: bool


@dataclass(frozen=True)
class DownwardFile:
    """A file that holds a field or a resource of the pod."""

    path: str
    value: FieldRef | ResourceRef
    mode: int | None


@dataclass(frozen=True)
class TokenFile:
    """A file that holds a token of the pod's service account, bound to the pod."""

    path: str
    audience: str
    expiration_s: int


FileSource = ObjectFiles | DownwardFile | TokenFile


@dataclass(frozen=True)
class Volume:
    """A folder of the pod: empty when it has no `sources`."""

    name: str
    sources: tuple[FileSource, ...] = ()
    mode: int = 0o644
    empty_dir: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """One container of the pod."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    post_start: Action | None = None
    pre_stop: Action | None = None
    run_as_non_root: bool = False
    run_as_user: int | None = None
    message_path: str = "/dev/termination-log"
    message_from_log: bool = False

    @property
    def memory_limit(self) -> int | None:
        """Bytes that the container may use; None for no limit."""
        limit = self.limits.get("memory")
        return int(parse_quantity(limit)) if limit else None


@dataclass(frozen=True)
class PodSpec:
    """A pod, as far as its node is concerned."""

    uid: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    service_account: str
    restart_policy: str
    grace_s: float
    init_containers: tuple[ContainerSpec, ...]
    containers: tuple[ContainerSpec, ...]
    volumes: tuple[Volume, ...]
    readiness_gates: tuple[str, ...]

    @property
    def path(self) -> str:
        """Path of the pod in the API."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"
