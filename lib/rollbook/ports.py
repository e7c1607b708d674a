"""What the phases ask of the world, as protocols. Adapters and the tests' fakes satisfy them.

Every method may raise `rollbook.errors.EnvironmentFailedError` (or a subclass) with what to do next;
vendor exceptions never pass these borders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from rollbook.domain.alerting import Alerts, NoAlerts
from rollbook.domain.attempts import Attempts
from rollbook.domain.exemplars import Exemplar
from rollbook.domain.findings import Finding
from rollbook.domain.measured import RuleGroup as RuleGroup
from rollbook.domain.measured import ScrapeTarget as ScrapeTarget
from rollbook.domain.measured import Series as Series
from rollbook.domain.release import Component, Image
from rollbook.domain.rollout import AnalysisRun, ClusterEvent, PodStatus, RolloutStatus, Step
from rollbook.domain.traffic import RequestRecord, TrafficPlan

Manifest = Mapping[str, Any]
"""A Kubernetes object as plain JSON."""


@dataclass(frozen=True)
class Applied:
    """An object applied server-side, and what that changed: `created`, `configured`, `unchanged`."""

    kind: str
    namespace: str
    name: str
    change: str


class Clock(Protocol):
    """Time, so that tests can turn it by hand."""

    def now(self) -> datetime:
        """Wall-clock time, UTC, aware."""

    def monotonic(self) -> float:
        """Seconds that never go backwards."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Cluster(Protocol):
    """Kubernetes with Argo Rollouts."""

    def components(self) -> tuple[Component, ...]:
        """The API server, Argo Rollouts and what else can be asked for its version and health."""

    def render(self, overlay: Path) -> tuple[Manifest, ...]:
        """Build a kustomize overlay. BadInputError when kustomize refuses it."""

    def apply(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> tuple[Applied, ...]:
        """Apply server-side in order (namespaces and CRDs first). ManifestRefusedError names the object."""

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """One object as JSON, None when it is not there."""

    def delete(self, kind: str, namespace: str, name: str, *, wait_s: float = 60.0) -> bool:
        """Delete one object and wait until it is gone; False when it was not there."""

    def rollout(self, namespace: str, name: str) -> RolloutStatus | None:
        """The Rollout's status, None when there is no such Rollout."""

    def strategy_steps(self, namespace: str, name: str) -> tuple[Step, ...]:
        """The canary steps of the Rollout's spec."""

    def watch_rollout(self, namespace: str, name: str, *, timeout_s: float) -> Iterator[RolloutStatus]:
        """Yield the status now and at each change (a watch, reconnected when it breaks), for `timeout_s`.

        Yields None-free statuses; ends silently at the timeout.
        """

    def promote_full(self, namespace: str, name: str) -> None:
        """Skip all remaining steps and analysis of the current rollout."""

    def promote_step(self, namespace: str, name: str) -> bool:
        """End the pause step that the rollout is in; False when it is in none, or is aborted."""

    def set_steps(self, namespace: str, name: str, steps: Sequence[Manifest]) -> None:
        """Put these canary steps into the Rollout's spec; nothing else of it is changed."""

    def abort(self, namespace: str, name: str) -> None:
        """Abort the current rollout: traffic goes back to stable. No-op when nothing is rolling out."""

    def retry(self, namespace: str, name: str) -> None:
        """Take an aborted rollout up again."""

    def undo(self, namespace: str, name: str) -> bool:
        """Put the stable ReplicaSet's template back into the spec; False when it is there already."""

    def analysis_runs(self, namespace: str, rollout: str) -> tuple[AnalysisRun, ...]:
        """AnalysisRuns owned by the Rollout, oldest first."""

    def events(self, namespace: str) -> tuple[ClusterEvent, ...]:
        """Events of the namespace, oldest first."""

    def pods(self, namespace: str, selector: str) -> tuple[PodStatus, ...]:
        """Pods by label selector."""

    def pod_log(self, namespace: str, pod: str, *, tail: int = 200, previous: bool = False) -> str:
        """Last lines of a pod's log; empty when there is none. `previous`: of the container before it."""


@dataclass(frozen=True)
class Lease:
    """Who may change a release target, until when. `version` is the API server's, for updates that race."""

    name: str
    holder: str
    renewed_at: datetime
    ttl_s: float
    version: str


class Leases(Protocol):
    """Leases of the cluster (coordination.k8s.io/v1), one a release target."""

    def read(self, name: str) -> Lease | None:
        """The lease, None when there is none."""

    def write(
        self, name: str, holder: str, ttl_s: float, now: datetime, *, over: Lease | None
    ) -> Lease | None:
        """Create the lease, or replace `over`; None when somebody else was faster."""

    def delete(self, lease: Lease) -> None:
        """Delete the lease if it is still this one."""


@dataclass(frozen=True)
class Identity:
    """Who the cloud says we are."""

    account: str
    arn: str
    region: str
    emulated: bool


class Cloud(Protocol):
    """AWS, as far as a release needs it."""

    def components(self) -> tuple[Component, ...]:
        """The services that were asked, and whether they answered; emulated ones say so."""

    def identity(self) -> Identity | None:
        """STS GetCallerIdentity; None for a target without an account."""

    def ensure_repository(self, name: str) -> str:
        """Make sure that the ECR repository is there (immutable tags, scan on push); its URI."""

    def find_repository(self, name: str) -> str | None:
        """URI of the ECR repository, None when there is none."""

    def ensure_secret(self, name: str, create: Callable[[], str]) -> str:
        """Make sure that the secret is there; `create` makes the first value. Its ARN."""

    def secret_version(self, name: str) -> str | None:
        """Id of the secret's current version, and never its value; None when it has none."""

    def push(self, layout: Path, image: Image) -> Image:
        """Push an image from an OCI layout: blobs that are missing, then the manifest under its tag.

        Raises BadInputError when the immutable tag names another digest already.
        """

    def image_digest(self, repository: str, tag: str) -> str | None:
        """Digest that the registry has for a tag; None when it has none."""

    def has_digest(self, repository: str, digest: str) -> bool | None:
        """Whether the registry has an image of that digest; None where the registry cannot be asked."""

    def delete_repository(self, name: str) -> bool:
        """Delete the repository and its images; False when it was not there."""

    def delete_secret(self, name: str) -> bool:
        """Delete the secret at once; False when it was not there."""


class Metrics(Protocol):
    """Prometheus and Alertmanager."""

    def components(self) -> tuple[Component, ...]:
        """Prometheus and Alertmanager with their versions and readiness."""

    def instant(self, query: str) -> float | None:
        """One number now; None when the query gives nothing or NaN. BadInputError on a parse error."""

    def range(
        self,
        query: str,
        *,
        start: datetime,
        end: datetime,
        step_s: float,
        about: Mapping[str, str] | None = None,
    ) -> tuple[Series, ...]:
        """A range query; split when longer than 11,000 points a series.

        `about` is sent along, and kept in the record: what it is asked for, such as `dashboard` and `panel`.
        """

    def vector(self, query: str) -> tuple[Series, ...]:
        """All results of a query now, one point each; what is no number is left out."""

    def exemplars(self, query: str, *, start: datetime, end: datetime) -> tuple[Exemplar, ...]:
        """Exemplars of the series that a query reads, by time; empty where Prometheus keeps none."""

    def rules(self) -> tuple[RuleGroup, ...]:
        """Loaded rule groups."""

    def targets(self) -> tuple[ScrapeTarget, ...]:
        """Active scrape targets."""

    def firing(self) -> tuple[str, ...]:
        """Names of alerts that fire now, sorted."""


class TrafficRun(Protocol):
    """User traffic under way."""

    def records(self) -> Sequence[RequestRecord]:
        """All requests that have ended so far, by scheduled time. Cheap to call each second."""

    def stop(self) -> Sequence[RequestRecord]:
        """Send no more, wait for what is in flight (at most its timeout), and return all records."""


class Traffic(Protocol):
    """Users."""

    def start(self, plan: TrafficPlan, log: Path) -> AbstractContextManager[TrafficRun]:
        """Start sending in a process of its own; the context's end stops it, whatever happens.

        `log` is where every request is written (`.csv`, see `evidence/requests.py`).
        """

    def probe(self, plan: TrafficPlan) -> RequestRecord:
        """Send one request and wait for its fate."""


class ImageBuilder(Protocol):
    """Makes images out of a Dockerfile's folder."""

    def build(
        self,
        *,
        context: Path,
        dockerfile: Path,
        repository: str,
        version: str,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> tuple[Image, Path]:
        """Build; the image (tag `<version>-<first 12 of the digest>`) and the OCI layout that holds it."""


@dataclass(frozen=True)
class World:
    """The collaborators of a target, as `targets` wires them."""

    target: str
    cluster: Cluster
    leases: Leases
    cloud: Cloud
    metrics: Metrics
    traffic: Traffic
    images: ImageBuilder
    clock: Clock
    edge: Callable[[], str]
    """Finds out where users reach the service: on EKS a load balancer has its name only when it is made."""
    overlay: str
    """Name of the overlay in the service file."""
    alerts: Alerts = field(default_factory=NoAlerts)
    """Whoever hears the alerts: a receiver of the sandbox's, else Alertmanager's own list."""
    attempts: Attempts | None = None
    """Tries what the cluster has to refuse; None where nobody can."""
    environment: Callable[[], tuple[Component, ...]] = field(default=tuple)
    """Health of what the target itself runs (sandbox processes); empty for EKS."""
    preflight: Callable[[], tuple[Finding, ...]] = field(default=tuple)
    """Looks at a cluster that is not rollbook's own as a release would find it; nothing for the sandbox."""
    substitutions: Mapping[str, str] = field(default_factory=dict)
    """Texts in rendered manifests that stand for what only the target knows, such as an address."""
    disclosures: tuple[str, ...] = ()
    """What is emulated or differs from EKS, one sentence each; shown in the report."""

    @property
    def edge_url(self) -> str:
        """Where users reach the service: `http://127.0.0.1:PORT` in the sandbox."""
        return self.edge()
