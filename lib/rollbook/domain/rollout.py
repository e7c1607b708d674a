"""What Argo Rollouts says about a rollout, freed of its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class RolloutStatus:
    """One look at a Rollout. Hashes are pod-template hashes; `weight` is the canary's share in percent."""

    namespace: str
    name: str
    phase: str
    """`Healthy`, `Progressing`, `Paused` or `Degraded`, as Argo's status says."""
    message: str
    stable_hash: str
    current_hash: str
    """Pod-template hash of the newest template; equal to `stable_hash` once it is promoted."""
    weight: int
    step_index: int | None
    step_count: int
    paused: bool
    aborted: bool
    aborted_at: datetime | None
    generation: int
    observed_generation: int
    replicas: int
    ready_replicas: int
    image: str
    """Image of the service's container in the newest template."""
    background_run: str
    """Name of the AnalysisRun in the background, empty when none."""
    progress_deadline_s: float | None = None
    """Seconds without progress after which it is to be given up; None when it is not."""

    @property
    def settled(self) -> bool:
        """Whether the controller has seen the newest template and serves it to everyone."""
        return (
            self.phase == "Healthy"
            and self.observed_generation >= self.generation
            and self.current_hash == self.stable_hash
        )


@dataclass(frozen=True)
class Step:
    """A canary step: a weight to set (percent), or a pause (seconds; None: until promoted)."""

    set_weight: int | None = None
    pause_s: float | None = None
    pauses: bool = False


@dataclass(frozen=True)
class Measurement:
    """One measurement of a metric: when, its phase in Argo's words, and the value as Argo recorded it."""

    started_at: datetime | None
    finished_at: datetime | None
    phase: str
    value: str
    message: str = ""


@dataclass(frozen=True)
class MetricResult:
    """All measurements of one metric of an AnalysisRun, with its conditions and query."""

    name: str
    phase: str
    query: str
    success_condition: str
    failure_condition: str
    failure_limit: str
    successful: int
    failed: int
    inconclusive: int
    errors: int
    measurements: tuple[Measurement, ...]
    message: str = ""


@dataclass(frozen=True)
class AnalysisRun:
    """An AnalysisRun as it was last seen."""

    namespace: str
    name: str
    phase: str
    message: str
    started_at: datetime | None
    finished_at: datetime | None
    metrics: tuple[MetricResult, ...]
    rollout_revision: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.phase in {"Successful", "Failed", "Error", "Inconclusive"}


@dataclass(frozen=True)
class ClusterEvent:
    """A Kubernetes event."""

    time: datetime
    kind: str
    """Kind of the object that it is about."""
    name: str
    reason: str
    message: str
    type: str
    """`Normal` or `Warning`."""
    reporter: str
    uid: str


@dataclass(frozen=True)
class PodStatus:
    """A pod: its node, address, image digest as the node reports it, restarts and readiness."""

    name: str
    template_hash: str
    phase: str
    ready: bool
    ip: str
    node: str
    image: str
    image_id: str
    restarts: int
    deleting: bool
