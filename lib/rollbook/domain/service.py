"""What is particular to one service: everything that the rest of the package must not know by heart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ImageSource:
    """Where a service's image comes from: ECR repository name, build context, Dockerfile."""

    repository: str
    context: Path
    dockerfile: Path
    container: str
    """Name of the container in the Rollout's pod template that runs this image."""


@dataclass(frozen=True)
class Signal:
    """One PromQL query of the service.

    `query` may hold `$hash` (the pod-template hash of the side looked at), `$namespace` and `$window`
    (a PromQL duration). It yields one number, or nothing.
    """

    name: str
    query: str
    unit: str
    """`requests/s`, `share` (0..1), `s` or `bytes`."""


@dataclass(frozen=True)
class Slo:
    """Service level objective: share of requests that succeed, and a bound for the 95th percentile."""

    availability: float
    p95_s: float


@dataclass(frozen=True)
class TrafficShape:
    """How users call the service through the edge."""

    host: str
    paths: tuple[str, ...]
    timeout_s: float
    version_header: str
    """Response header that carries the version which answered."""
    pod_header: str
    """Response header that carries the pod which answered."""


@dataclass(frozen=True)
class ExperimentShape:
    """How users and their outcomes are told in an experiment."""

    user_header: str
    """Request header that carries the user's id."""
    variant_header: str
    """Request header that the edge routes by."""
    outcome_header: str
    """Header of an answer: `1` when the user converted, `0` when not."""
    rate_variable: str = ""
    """Environment variable with the share of simulated users who convert; empty: the service knows by
    itself."""


@dataclass(frozen=True)
class Addresses:
    """Where parts of a target are, if not where they are looked for. Empty for those that are.

    `prometheus` and `alertmanager` are URLs, or `namespace/service:port` of a Service that is reached through
    the API server; `edge` is the URL at which users reach the service; `registry` is what stands before the
    image's repository where the target has no registry of its own (`registry.example.com/team`).
    """

    prometheus: str = ""
    alertmanager: str = ""
    edge: str = ""
    registry: str = ""


@dataclass(frozen=True)
class Service:
    """One service as its `service.yaml` describes it. Paths are absolute."""

    name: str
    namespace: str
    rollout: str
    stable_service: str
    canary_service: str
    port: int
    overlays: Mapping[str, Path]
    """Kustomize overlay by name (`sandbox`, `eks`, `kubeconfig`; `eks-access`: who may deploy,
    `eks-policies`: what nobody may run)."""
    image: ImageSource
    secret: str
    """Name of the service's secret in AWS Secrets Manager; empty for none."""
    traffic: TrafficShape
    signals: tuple[Signal, ...]
    slo: Slo
    faults: Mapping[str, Mapping[str, str]]
    """Drill fault by name: the environment variables that make the service show it."""
    initial_version: str
    monitoring: Path | None
    """Folder with `rules/*.yaml` (and `alertmanager/`) of the service; None when it brings none."""
    source: Path
    """The file that this was read from."""
    counters: Mapping[str, str] = field(default_factory=dict)
    """PromQL of one side, for the judge; empty for none.

    Running totals `requests` and `errors`; where the service names them, `latency_buckets` (a histogram, by
    `le`), `memory` (bytes, by process) and `scraped` (seconds since the epoch)."""
    addresses: Mapping[str, Addresses] = field(default_factory=dict)
    """By target (`aws`, `kubeconfig`)."""

    experiment: ExperimentShape | None = None
    """None when the service takes part in no experiments."""
    drills: Path | None = None
    """File with the service's drills; None when it has none."""

    def signal(self, name: str) -> Signal | None:
        """Return the signal of that name, or None when the service does not define it."""
        return next((signal for signal in self.signals if signal.name == name), None)
