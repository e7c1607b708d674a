"""Deploy: the service's objects applied, its Rollout healthy, live traffic answered by the right version.

A first install has no stable version to compare with, so Argo skips the canary steps. Where another version
is stable already, deploy goes all the way at once (`promoteFull`): it lays the baseline that the canary
starts from. A release to users that deserves a canary goes through the canary runbook.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rollbook.domain.rollout import RolloutStatus
from rollbook.domain.traffic import RequestRecord
from rollbook.errors import EnvironmentFailedError, GateRefusedError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext
from rollbook.phases.exclusive import exclusive
from rollbook.phases.manifests import Release, overlay_manifests
from rollbook.phases.observe import status_data
from rollbook.phases.synced_secret import bring
from rollbook.ports import Applied

READY_S = 90.0
"""client-go, which Traefik uses, tries a broken watch again after up to a minute."""


@dataclass(frozen=True)
class Installed:
    """A baseline that is in place."""

    release: Release
    applied: tuple[Applied, ...]
    status: RolloutStatus
    seconds: float


@dataclass(frozen=True)
class LiveTraffic:
    """Answers of the edge to a number of requests."""

    sent: int
    good: int
    versions: tuple[tuple[str, int], ...]
    median_latency_s: float


def install(ctx: PhaseContext, release: Release, *, timeout_s: float) -> Installed:
    """Apply the overlay and see the Rollout healthy on this release.

    Raises TargetHeldError when another run changes the same target, ManifestRefusedError when the API server
    refuses an object, EnvironmentFailedError when the Rollout is not healthy in time (with what Argo and the
    pods say).
    """
    began = ctx.world.clock.monotonic()
    with exclusive(ctx):
        applied = apply(ctx, release)
        with ctx.journal.step("wait until the Rollout is healthy", timeout_s=timeout_s) as step:
            status = _until_settled(ctx, timeout_s)
            step |= {"stable_hash": status.stable_hash, "ready_replicas": status.ready_replicas}
    ctx.say(f"Rollout {status.name} is healthy on {release.version}")
    return Installed(release, applied, status, round(ctx.world.clock.monotonic() - began, 3))


def apply(ctx: PhaseContext, release: Release) -> tuple[Applied, ...]:
    """Render the overlay for this release and apply it server-side; its secret first, if it has one."""
    with ctx.journal.step("apply manifests", version=release.version, digest=release.image.digest) as step:
        manifests = overlay_manifests(ctx.service, ctx.world, release)
        bring(ctx, manifests)
        applied = ctx.world.cluster.apply(manifests)
        step["objects"] = [f"{one.kind}/{one.name} {one.change}" for one in applied]
    changes = Counter(one.change for one in applied)
    ctx.say("applied " + ", ".join(f"{count} {change}" for change, count in sorted(changes.items())))
    return applied


def verify_traffic(ctx: PhaseContext, version: str, *, probes: int, ready_s: float = READY_S) -> LiveTraffic:
    """Send `probes` requests through the edge; every one must be answered well, by `version`.

    The edge learns of new pods within its update interval, but after an outage of the API server only when
    its watch is tried again; so the first good answer may take up to `ready_s` seconds. Raises
    GateRefusedError when a later request fails or another version answers.
    """
    plan = ctx.traffic_plan(rps=1.0, duration_s=1.0)
    clock = ctx.world.clock
    with ctx.journal.step("verify live traffic", version=version, probes=probes) as step:
        deadline = clock.monotonic() + ready_s
        first = ctx.world.traffic.probe(plan)
        while first.failed or first.version != version:
            if clock.monotonic() > deadline:
                raise EnvironmentFailedError(
                    f"no good answer of {version} through the edge within {ready_s:g} s",
                    why=_described(first),
                    next_step=f"Look at the Rollout's pods in namespace {ctx.service.namespace}.",
                )
            clock.sleep(0.2)
            first = ctx.world.traffic.probe(plan)
        records = [ctx.world.traffic.probe(plan) for _ in range(probes)]
        versions = Counter(record.version or "(none)" for record in records)
        good = [record for record in records if not record.failed and record.version == version]
        latencies = sorted(record.latency_s for record in records)
        live = LiveTraffic(
            sent=probes,
            good=len(good),
            versions=tuple(sorted(versions.items())),
            median_latency_s=latencies[len(latencies) // 2],
        )
        step |= {"good": live.good, "versions": dict(live.versions)}
    passed = live.good == live.sent
    sentence = f"{live.good} of {live.sent} requests through the edge were answered by {version}"
    ctx.journal.append(
        Kind.GATE,
        "live traffic",
        {"passed": passed, "expected": f"{probes} of {version}", "got": str(live.good), "sentence": sentence},
    )
    if not passed:
        bad = next(record for record in records if record not in good)
        raise GateRefusedError("live traffic is not as it should be", why=f"{sentence}; {_described(bad)}")
    ctx.say(sentence)
    return live


def _until_settled(ctx: PhaseContext, timeout_s: float) -> RolloutStatus:
    cluster, service = ctx.world.cluster, ctx.service
    promoted_hash = ""
    last: RolloutStatus | None = None
    for status in cluster.watch_rollout(service.namespace, service.rollout, timeout_s=timeout_s):
        if last is None or status_data(status) != status_data(last):
            ctx.journal.append(Kind.OBSERVATION, "rollout", status_data(status), source="argo-rollouts")
        last = status
        seen = status.observed_generation >= status.generation
        if seen and status.settled and status.ready_replicas >= 1:
            return status
        if not seen or not status.stable_hash or status.current_hash == status.stable_hash:
            continue
        if status.aborted:
            cluster.retry(service.namespace, service.rollout)
        elif promoted_hash != status.current_hash:
            promoted_hash = status.current_hash
            cluster.promote_full(service.namespace, service.rollout)
            ctx.journal.append(Kind.DECISION, "promote full", {"hash": promoted_hash})
    said = f"{last.phase}: {last.message}" if last else "it never appeared"
    raise EnvironmentFailedError(
        f"the Rollout {service.rollout} was not healthy within {timeout_s:g} s",
        why="; ".join([said, *_pod_troubles(ctx)]),
        next_step=f"Look at its pods and events in namespace {service.namespace}.",
    )


def _pod_troubles(ctx: PhaseContext) -> list[str]:
    """The last warning of each object, newest last, at most three."""
    warnings = {
        event.name: f"{event.name}: {event.reason}: {event.message}"
        for event in ctx.world.cluster.events(ctx.service.namespace)
        if event.type == "Warning"
    }
    return list(warnings.values())[-3:]


def _described(record: RequestRecord) -> str:
    answer = f"HTTP {record.status}" if record.status else record.cause.value
    return f"the last answer was {answer} by {record.version or 'the edge'}"
