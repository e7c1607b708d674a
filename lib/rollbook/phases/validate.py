"""Validate: look again, from the outside, whether what runs is what was released."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.errors import GateRefusedError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext
from rollbook.phases.versions import TEMPLATE_HASH, replica_set, stable_version

FIRST_SCRAPE_S = 20.0
"""A target is scraped within one interval of its discovery, and 15 s is the longest interval here."""


@dataclass(frozen=True)
class Gate:
    """One check with its answer. `passed` is None when there was nothing to check, and that is said."""

    name: str
    passed: bool | None
    expected: str
    got: str
    sentence: str
    files: tuple[str, ...] = ()
    """Files of the run's folder that it judged, where it judged none of the world's answers."""


def running_digest(ctx: PhaseContext) -> Gate:
    """Every pod runs the digest that the Rollout names, and the registry has it under the same digest."""
    status = ctx.rollout_status()
    released = status.image.rpartition("@")[2]
    pods = ctx.world.cluster.pods(ctx.service.namespace, f"{TEMPLATE_HASH}={status.stable_hash}")
    running = {pod.image_id.rpartition("@")[2] for pod in pods if not pod.deleting}
    source = ctx.service.image.repository
    registry = ctx.world.cloud.has_digest(source, released)
    passed = bool(pods) and running == {released} and registry is not False
    has_it = {True: "yes", False: "no", None: "not asked"}[registry]
    told = {
        True: ", and the registry has it",
        False: ", but the registry lacks it",
        None: "; the registry of this target cannot be asked",
    }[registry]
    return written(
        ctx,
        Gate(
            "running image",
            passed,
            released,
            f"{', '.join(sorted(running)) or 'no pods'}; in the registry: {has_it}",
            f"{len(pods)} pods run {released[:19]}, the digest that the Rollout names{told}",
        ),
    )


def rollout_healthy(ctx: PhaseContext) -> Gate:
    """The Rollout is healthy, with nothing under way, and all of its traffic on stable."""
    status = ctx.rollout_status()
    found = replica_set(ctx, status.stable_hash)
    wanted = int(found["spec"].get("replicas", 0)) if found else 0
    pods = ctx.world.cluster.pods(ctx.service.namespace, f"{TEMPLATE_HASH}={status.stable_hash}")
    ready = sum(pod.ready and not pod.deleting for pod in pods)
    passed = status.settled and status.weight == 0 and wanted > 0 and ready >= wanted
    return written(
        ctx,
        Gate(
            "rollout healthy",
            passed,
            f"Healthy, {wanted} ready",
            f"{status.phase}, {ready} ready",
            f"the Rollout is {status.phase} on {stable_version(ctx)} with {ready} of {wanted} pods ready",
        ),
    )


def edge_serves_stable(ctx: PhaseContext, probes: int) -> Gate:
    """Requests through the edge are answered by the stable version alone."""
    version = stable_version(ctx)
    plan = ctx.traffic_plan(rps=1.0, duration_s=1.0)
    records = [ctx.world.traffic.probe(plan) for _ in range(probes)]
    good = sum(1 for record in records if not record.failed and record.version == version)
    return written(
        ctx,
        Gate(
            "edge serves stable",
            good == probes,
            f"{probes} by {version}",
            str(good),
            f"{good} of {probes} requests through the edge were answered by {version}",
        ),
    )


def rules_loaded(ctx: PhaseContext) -> Gate:
    """Prometheus has loaded recording rules and alerts, and evaluates them without errors.

    A service that brings no rules has nothing to check.
    """
    if ctx.service.monitoring is None:
        return written(
            ctx,
            Gate(
                "rules and alerts load",
                None,
                "none",
                "none",
                f"{ctx.service.source.name} names no monitoring folder, so there are no rules to check",
            ),
        )
    groups = ctx.world.metrics.rules()
    alerts = sum(len(group.alerts) for group in groups)
    recordings = sum(len(group.recordings) for group in groups)
    problems = [problem for group in groups for problem in group.problems]
    return written(
        ctx,
        Gate(
            "rules and alerts load",
            alerts > 0 and recordings > 0 and not problems,
            "at least one of each, no errors",
            f"{alerts} alerts, {recordings} recording rules, {len(problems)} errors",
            f"Prometheus has {alerts} alerts and {recordings} recording rules, {len(problems)} with errors"
            + (f": {problems[0]}" if problems else ""),
        ),
    )


def targets_up(ctx: PhaseContext) -> Gate:
    """Everything that Prometheus should scrape answers; one that it found just now is waited for."""
    found = ctx.world.metrics.targets()
    deadline = ctx.world.clock.monotonic() + FIRST_SCRAPE_S
    while any(target.health == "unknown" for target in found) and ctx.world.clock.monotonic() < deadline:
        ctx.world.clock.sleep(0.5)
        found = ctx.world.metrics.targets()
    down = [target for target in found if target.health != "up"]
    detail = f": {down[0].job} {down[0].address}: {down[0].last_error}" if down else ""
    return written(
        ctx,
        Gate(
            "scrape targets up",
            bool(found) and not down,
            "all",
            f"{len(found) - len(down)} of {len(found)}",
            f"{len(found) - len(down)} of {len(found)} scrape targets are up{detail}",
        ),
    )


def alertmanager_ready(ctx: PhaseContext) -> Gate:
    """Alertmanager is there to take alerts."""
    found = [one for one in ctx.world.metrics.components() if one.name == "alertmanager"]
    passed = bool(found) and found[0].healthy
    got = found[0].version if passed else "no answer"
    return written(ctx, Gate("alertmanager ready", passed, "ready", got, f"Alertmanager {got} takes alerts"))


def require(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Raise GateRefusedError when a gate did not pass; one without anything to check is let by."""
    refused = [gate for gate in gates if gate.passed is False]
    if refused:
        raise GateRefusedError(
            f"{len(refused)} of {len(gates)} gates refused",
            why="; ".join(f"{gate.name}: {gate.sentence}" for gate in refused),
        )
    return gates


def sentence(gates: tuple[Gate, ...]) -> str:
    """The gates in one sentence."""
    checked = [gate for gate in gates if gate.passed is not None]
    empty = len(gates) - len(checked)
    words = f"{len(checked)} of {len(checked)} gates passed"
    return words + (f"; {empty} had nothing to check" if empty else "")


def written(ctx: PhaseContext, gate: Gate) -> Gate:
    """Write a gate into the journal and hand it on."""
    ctx.journal.append(
        Kind.GATE,
        gate.name,
        {
            "passed": gate.passed,
            "expected": gate.expected,
            "got": gate.got,
            "sentence": gate.sentence,
            **({"files": list(gate.files)} if gate.files else {}),
        },
    )
    return gate
