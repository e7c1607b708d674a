"""The start of an experiment: pods of both variants are ready, and the edge sends users to them."""

from __future__ import annotations

from dataclasses import replace

from rollbook.domain.audience import VARIANTS
from rollbook.errors import EnvironmentFailedError
from rollbook.phases.context import PhaseContext
from rollbook.phases.experiment_objects import experiment_manifest, experiment_name
from rollbook.phases.experiment_planning import PlannedExperiment
from rollbook.phases.outage import Outage
from rollbook.ports import Manifest

START_S = 120.0
AT_THE_EDGE_S = 90.0
IN_A_ROW = 10
"""An edge of several replicas must answer so often alike, each time over a new connection."""
ROOM_S = 600
"""Argo ends an Experiment by itself so long after its users were to go: for who started it may have died."""
COMPLETED = {"Successful", "Failed", "Error", "Inconclusive"}


def start(ctx: PhaseContext, planned: PlannedExperiment) -> tuple[Manifest, dict[str, str]]:
    """Apply the Experiment and wait until both variants are ready; with what their pods' names begin with."""
    clock = ctx.world.clock
    manifest = experiment_manifest(
        ctx.service, planned.overlays, replicas=planned.replicas, longest_s=longest_s(planned)
    )
    with ctx.journal.step("start the Experiment", experiment=planned.name, replicas=planned.replicas) as step:
        ctx.world.cluster.apply([manifest])
        deadline = clock.monotonic() + START_S
        while True:
            found = Outage(ctx).ask(lambda: found_now(ctx))
            status = found.get("status") or {}
            phase = str(status.get("phase", ""))
            if phase == "Running" and len(_services(found)) == len(VARIANTS):
                break
            if phase in COMPLETED or clock.monotonic() > deadline:
                raise EnvironmentFailedError(
                    f"the Experiment {planned.name} did not start: it is {phase or 'without a phase'}",
                    why=str(status.get("message", "")),
                    next_step=f"Look at its pods and events in namespace {ctx.service.namespace}.",
                )
            clock.sleep(0.5)
        services = _services(found)
        step["services"] = services
    ctx.say(f"Experiment {planned.name} runs: a is {planned.a.version}, b is {planned.b.version}")
    # Argo names ReplicaSet and Service of a template alike, and pods are named after their ReplicaSet.
    return found, {name: f"{planned.name}-{name}-" for name in VARIANTS}


def _services(experiment: Manifest) -> dict[str, str]:
    """Names of the Services that Argo made, by variant."""
    found = (experiment.get("status") or {}).get("templateStatuses") or ()
    return {str(one["name"]): str(one["serviceName"]) for one in found if one.get("serviceName")}


def port_of(ctx: PhaseContext, experiment: Manifest, name: str) -> tuple[str, int]:
    """Name and port of a variant's Service: the port that leads to the service's own, else the first."""
    service_name = _services(experiment)[name]
    service = ctx.world.cluster.get("Service", ctx.service.namespace, service_name)
    ports = (service or {}).get("spec", {}).get("ports") or ()
    if not ports:
        raise EnvironmentFailedError(
            f"the Service {service_name} has no port",
            why="Argo Rollouts makes it from the ports that the container declares",
            next_step="Declare the container's port in the Rollout's template.",
        )
    own = [one for one in ports if ctx.service.port in (one.get("targetPort"), one["port"])]
    return service_name, int((own or ports)[0]["port"])


def longest_s(planned: PlannedExperiment) -> int:
    """Seconds after which Argo ends the Experiment by itself."""
    return int(planned.duration_s) + ROOM_S


def until_answered(
    ctx: PhaseContext, planned: PlannedExperiment, variant: str, pods: str, *, by_variant: bool
) -> None:
    """Wait until requests for a variant are answered by its pods, or (not `by_variant`) by others.

    EnvironmentFailedError when the edge does not follow in time.
    """
    shape, clock = ctx.service.experiment, ctx.world.clock
    header = shape.variant_header if shape else ""
    plan = replace(ctx.traffic_plan(rps=1.0, duration_s=1.0), headers=((header, variant),))
    deadline, alike = clock.monotonic() + AT_THE_EDGE_S, 0
    while alike < IN_A_ROW:
        answer = ctx.world.traffic.probe(plan)
        alike = alike + 1 if not answer.failed and answer.pod.startswith(pods) is by_variant else 0
        if alike:
            continue
        if clock.monotonic() > deadline:
            where = f"variant {variant}" if by_variant else "stable"
            raise EnvironmentFailedError(
                f"the edge did not send users to {where} within {AT_THE_EDGE_S:g} s",
                why=f"the last was {answer.status or answer.cause.value} by {answer.pod or 'the edge'}",
                next_step=f"Look at Traefik's log, and at the IngressRoute {planned.name}.",
            )
        clock.sleep(0.1)


def found_now(ctx: PhaseContext) -> Manifest:
    """The Experiment as it is; empty when it is not there."""
    name = experiment_name(ctx.service)
    return ctx.world.cluster.get("Experiment", ctx.service.namespace, name) or {}
