"""Fakes of the ports: a world that follows a script, and a clock that only moves when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rollbook.domain.exemplars import Exemplar
from rollbook.domain.release import Component, Image
from rollbook.domain.rollout import AnalysisRun, ClusterEvent, PodStatus, RolloutStatus, Step
from rollbook.domain.service import ImageSource, Service, Signal, Slo, TrafficShape
from rollbook.domain.traffic import Cause, RequestRecord, TrafficPlan
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.folder import RunFolder
from rollbook.phases.context import PhaseContext
from rollbook.ports import (
    Applied,
    Identity,
    Lease,
    Manifest,
    RuleGroup,
    ScrapeTarget,
    Series,
    World,
)

START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
STABLE_HASH, CANARY_HASH = "aaaa", "bbbb"
DIGEST = "sha256:" + "1" * 64


class HandClock:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


AT_REST = RolloutStatus(
    namespace="shop",
    name="orders",
    phase="Healthy",
    message="",
    stable_hash=STABLE_HASH,
    current_hash=STABLE_HASH,
    weight=0,
    step_index=4,
    step_count=4,
    paused=False,
    aborted=False,
    aborted_at=None,
    generation=1,
    observed_generation=1,
    replicas=2,
    ready_replicas=2,
    image=f"registry/orders@{DIGEST}",
    background_run="",
)
UNDER_WAY = replace(
    AT_REST, phase="Progressing", current_hash=CANARY_HASH, generation=2, observed_generation=2, step_index=0
)


def at(weight: int, index: int) -> RolloutStatus:
    """The canary is at this weight, in this step."""
    return replace(UNDER_WAY, weight=weight, step_index=index, phase="Paused")


PROMOTED = replace(UNDER_WAY, phase="Healthy", stable_hash=CANARY_HASH, weight=0, step_index=4, generation=2)
ABORTED = replace(UNDER_WAY, phase="Degraded", aborted=True, message="analysis failed", weight=0)


@dataclass
class FakeCluster:
    """Follows `script`: each status is seen `every_s` after the last one."""

    clock: HandClock
    script: Sequence[RolloutStatus] = (AT_REST,)
    every_s: float = 10.0
    status: RolloutStatus | None = AT_REST
    calls: list[str] = field(default_factory=list)
    runs_seen_later: tuple[AnalysisRun, ...] = ()
    """AnalysisRuns that are there once something was applied."""
    pods_by_selector: dict[str, tuple[PodStatus, ...]] = field(default_factory=dict)
    warnings: tuple[ClusterEvent, ...] = ()
    broken: bool = False
    logs: dict[str, str] = field(default_factory=dict)
    earlier_logs: dict[str, str] = field(default_factory=dict)
    """Of the containers before those that run, by pod."""
    """What pods have logged, by their names."""
    overlay: tuple[Manifest, ...] = ()
    applied: list[Manifest] = field(default_factory=list)

    def components(self) -> tuple[Component, ...]:
        return (Component("kube-apiserver", "v1.36.3", True),)

    def render(self, overlay: Path) -> tuple[Manifest, ...]:
        return self.overlay

    def apply(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> tuple[Applied, ...]:
        self.calls.append("apply")
        self.applied = list(manifests)
        return tuple(
            Applied(str(one["kind"]), "shop", one["metadata"]["name"], "configured") for one in manifests
        )

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        if kind == "ReplicaSet":
            version = {"orders-aaaa": "1.0.0", "orders-bbbb": "1.1.0"}.get(name, "")
            annotations = {"rollbook.dev/version": version}
            return {
                "kind": kind,
                "metadata": {"name": name},
                "spec": {"replicas": 2, "template": {"metadata": {"annotations": annotations}}},
            }
        return None

    def delete(self, kind: str, namespace: str, name: str, *, wait_s: float = 60.0) -> bool:
        self.calls.append(f"delete {kind}")
        return True

    def rollout(self, namespace: str, name: str) -> RolloutStatus | None:
        if self.broken:
            raise EnvironmentFailedError("the API server is gone")
        return self.status

    def strategy_steps(self, namespace: str, name: str) -> tuple[Step, ...]:
        pause = Step(pause_s=10.0, pauses=True)
        return (Step(set_weight=20), pause, Step(set_weight=50), pause)

    def watch_rollout(self, namespace: str, name: str, *, timeout_s: float) -> Iterator[RolloutStatus]:
        for status in self.script:
            self.status = status
            yield status
            self.clock.sleep(self.every_s)
        self.clock.sleep(timeout_s)

    def promote_full(self, namespace: str, name: str) -> None:
        self.calls.append("promote_full")

    def promote_step(self, namespace: str, name: str) -> bool:
        self.calls.append("promote_step")
        return True

    def set_steps(self, namespace: str, name: str, steps: Sequence[Manifest]) -> None:
        self.calls.append("set_steps")

    def abort(self, namespace: str, name: str) -> None:
        self.calls.append("abort")
        self.status = ABORTED

    def retry(self, namespace: str, name: str) -> None:
        self.calls.append("retry")

    def undo(self, namespace: str, name: str) -> bool:
        self.calls.append("undo")
        return True

    def analysis_runs(self, namespace: str, rollout: str) -> tuple[AnalysisRun, ...]:
        return self.runs_seen_later if "apply" in self.calls else ()

    def events(self, namespace: str) -> tuple[ClusterEvent, ...]:
        return self.warnings

    def pods(self, namespace: str, selector: str) -> tuple[PodStatus, ...]:
        return self.pods_by_selector.get(selector, ())

    def pod_log(self, namespace: str, pod: str, *, tail: int = 200, previous: bool = False) -> str:
        if self.broken:
            raise EnvironmentFailedError("the API server is gone")
        logs = self.earlier_logs if previous else self.logs
        return "".join(logs.get(pod, "").splitlines(keepends=True)[-tail:])


class FakeLeases:
    """Leases in memory; a write over an older version loses the race."""

    def __init__(self) -> None:
        self.held: dict[str, Lease] = {}
        self._version = 0

    def read(self, name: str) -> Lease | None:
        return self.held.get(name)

    def write(
        self, name: str, holder: str, ttl_s: float, now: datetime, *, over: Lease | None
    ) -> Lease | None:
        if self.held.get(name) != over:
            return None
        self._version += 1
        self.held[name] = Lease(name, holder, now, ttl_s, str(self._version))
        return self.held[name]

    def delete(self, lease: Lease) -> None:
        if self.held.get(lease.name) == lease:
            del self.held[lease.name]


class FakeCloud:
    """A registry with one image, and an account."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.secret_versions: dict[str, str] = {}

    def components(self) -> tuple[Component, ...]:
        return (Component("ECR", "", True, emulated=True),)

    def identity(self) -> Identity:
        return Identity("000000000012", "arn:aws:iam::000000000012:user/x", "eu-west-1", True)

    def ensure_repository(self, name: str) -> str:
        return f"registry/{name}"

    def find_repository(self, name: str) -> str | None:
        return f"registry/{name}" if name not in self.deleted else None

    def ensure_secret(self, name: str, create: Callable[[], str]) -> str:
        return f"arn:{name}:{len(create()) > 20}"

    def secret_version(self, name: str) -> str | None:
        return self.secret_versions.get(name)

    def push(self, layout: Path, image: Image) -> Image:
        return image

    def image_digest(self, repository: str, tag: str) -> str | None:
        return DIGEST

    def has_digest(self, repository: str, digest: str) -> bool:
        return digest == DIGEST

    def delete_repository(self, name: str) -> bool:
        self.deleted.append(name)
        return True

    def delete_secret(self, name: str) -> bool:
        return False


@dataclass
class FakeMetrics:
    """A Prometheus with one rule group and one target."""

    groups: tuple[RuleGroup, ...] = (RuleGroup("service", "r.yaml", ("Down",), ("x:y",)),)
    scraped: tuple[ScrapeTarget, ...] = (ScrapeTarget("pods", "127.1.1.1:8080", "up"),)
    alertmanager_healthy: bool = True
    kept_exemplars: tuple[Exemplar, ...] = ()
    unscraped_looks: int = 0
    """For so many looks the targets have been found, but not scraped yet."""

    def components(self) -> tuple[Component, ...]:
        return (Component("alertmanager", "0.31.1", self.alertmanager_healthy),)

    def instant(self, query: str) -> float | None:
        return 0.0

    def vector(self, query: str) -> tuple[Series, ...]:
        return ()

    def range(
        self,
        query: str,
        *,
        start: datetime,
        end: datetime,
        step_s: float,
        about: Mapping[str, str] | None = None,
    ) -> tuple[Series, ...]:
        return (Series({}, ((start.timestamp(), 1.0),)),)

    def exemplars(self, query: str, *, start: datetime, end: datetime) -> tuple[Exemplar, ...]:
        return self.kept_exemplars

    def rules(self) -> tuple[RuleGroup, ...]:
        return self.groups

    def targets(self) -> tuple[ScrapeTarget, ...]:
        if self.unscraped_looks > 0:
            self.unscraped_looks -= 1
            return tuple(ScrapeTarget(target.job, target.address, "unknown") for target in self.scraped)
        return self.scraped

    def firing(self) -> tuple[str, ...]:
        return ()


class FakeTrafficRun:
    """Users whose requests are known beforehand."""

    def __init__(self, records: Sequence[RequestRecord]) -> None:
        self._records = records
        self.stopped = False

    def records(self) -> Sequence[RequestRecord]:
        return self._records

    def stop(self) -> Sequence[RequestRecord]:
        self.stopped = True
        return self._records


@dataclass
class FakeTraffic:
    """Users; `answers` are what probes get, the last one for ever."""

    script: Sequence[RequestRecord] = ()
    answers: list[RequestRecord] = field(default_factory=list)
    ended: int = 0

    @contextmanager
    def start(self, plan: TrafficPlan, log: Path) -> Iterator[FakeTrafficRun]:
        try:
            yield FakeTrafficRun(self.script)
        finally:
            self.ended += 1

    def probe(self, plan: TrafficPlan) -> RequestRecord:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class FakeImages:
    """Builds the same image whatever the sources."""

    def build(
        self,
        *,
        context: Path,
        dockerfile: Path,
        repository: str,
        version: str,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> tuple[Image, Path]:
        return image(version), Path("layout")


def image(version: str = "1.1.0") -> Image:
    """An image of that version."""
    return Image("registry/orders", f"{version}-111111111111", DIGEST, 1000)


def answer(second: float, version: str = "1.0.0", cause: Cause = Cause.OK) -> RequestRecord:
    """A user's request, `second` seconds after the start."""
    when = START.timestamp() + second
    status = 200 if cause is Cause.OK else 500
    return RequestRecord(when, when, 0.01, status, cause, version, f"pod-{version}")


def service(source: Path, faults: Mapping[str, Mapping[str, str]] | None = None) -> Service:
    """A service that is not ours."""
    return Service(
        name="orders",
        namespace="shop",
        rollout="orders",
        stable_service="orders-stable",
        canary_service="orders-canary",
        port=9000,
        overlays={"sandbox": source},
        image=ImageSource("orders", source, source, "orders"),
        secret="orders/config",
        traffic=TrafficShape("orders.test", ("/",), 5.0, "X-Version", "X-Pod"),
        signals=(Signal("errors", 'errors{hash="$hash"}[$window]', "share"),),
        slo=Slo(0.99, 0.3),
        faults={"errors": {"LOSE": "0.2"}} if faults is None else faults,
        initial_version="1.0.0",
        monitoring=source,
        source=source / "service.yaml",
    )


OVERLAY: tuple[Any, ...] = (
    {"kind": "Service", "metadata": {"name": "orders-stable"}, "spec": {"selector": {"app": "orders"}}},
    {"kind": "Service", "metadata": {"name": "orders-canary"}, "spec": {"selector": {"app": "orders"}}},
    {"kind": "TraefikService", "metadata": {"name": "orders"}, "spec": {}},
    {"kind": "AnalysisTemplate", "metadata": {"name": "rate"}, "spec": {"args": [{"value": "THE_URL"}]}},
    {
        "kind": "Rollout",
        "metadata": {"name": "orders"},
        "spec": {
            "strategy": {
                "canary": {
                    "stableService": "orders-stable",
                    "canaryService": "orders-canary",
                    "trafficRouting": {"traefik": {"weightedTraefikServiceName": "orders"}},
                }
            },
            "template": {
                "metadata": {},
                "spec": {
                    "containers": [
                        {"name": "orders", "image": "orders", "env": [{"name": "LOSE", "value": "0"}]},
                        {"name": "sidecar", "image": "other"},
                    ]
                },
            },
        },
    },
)


@dataclass
class Stage:
    """A world with its fakes at hand, and the context of one phase in it."""

    ctx: PhaseContext
    cluster: FakeCluster
    traffic: FakeTraffic
    metrics: FakeMetrics
    leases: FakeLeases
    clock: HandClock


def stage(tmp_path: Path, script: Sequence[RolloutStatus] = (AT_REST,), phase: str = "canary") -> Stage:
    """A world at rest that follows `script` when it is watched."""
    clock = HandClock()
    cluster = FakeCluster(clock, script, overlay=OVERLAY)
    traffic = FakeTraffic(script=[answer(1.0), answer(2.0, "1.1.0")], answers=[answer(0.0)])
    metrics = FakeMetrics()
    leases = FakeLeases()
    world = World(
        target="sandbox",
        cluster=cluster,
        leases=leases,
        cloud=FakeCloud(),
        metrics=metrics,
        traffic=traffic,
        images=FakeImages(),
        clock=clock,
        edge=lambda: "http://127.0.0.1:1",
        overlay="sandbox",
        substitutions={"THE_URL": "http://127.0.0.1:9090"},
    )
    folder = RunFolder.create(tmp_path, "run")
    journal = folder.journal(phase, clock)
    return Stage(
        PhaseContext(service(tmp_path), world, folder, journal, phase),
        cluster,
        traffic,
        metrics,
        leases,
        clock,
    )
