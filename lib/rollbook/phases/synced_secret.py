"""The service's secret in the cluster: which version of it pods get, and that it is there before they start.

An ExternalSecret with the text ROLLBOOK_SECRET_VERSION as the `version` of what it refers to is pinned to the
version that is current in Secrets Manager when a release is made. The version's id, which tells nothing of
the value, is an annotation of the pod template too: so a new value is a change of the template, and reaches
pods as every other change does, through the canary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rollbook.domain.secret import BROUGHT, VERSION_ANNOTATION
from rollbook.domain.service import Service
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.phases.context import PhaseContext
from rollbook.ports import Manifest, World

PLACEHOLDER = "ROLLBOOK_SECRET_VERSION"
"""Stands in an ExternalSecret for the version that it is pinned to."""

SYNC_S = 60.0
POLL_S = 0.1
_BEFORE_PODS = ("Namespace", "SecretStore", "ExternalSecret")


def pinned_version(manifests: Sequence[Manifest], service: Service, world: World) -> str:
    """Id of the version that is current in Secrets Manager; empty when no ExternalSecret asks for one.

    BadInputError when the service file names no secret, EnvironmentFailedError when that has no value.
    """
    if not any(_asks(one) for one in manifests if one.get("kind") == "ExternalSecret"):
        return ""
    if not service.secret:
        raise BadInputError(
            f"{service.source.name} names no secret",
            why=f"an ExternalSecret of the overlay {world.overlay} has {PLACEHOLDER} in it",
            next_step="Add `secret:` with its name in Secrets Manager.",
        )
    version = world.cloud.secret_version(service.secret)
    if not version:
        raise EnvironmentFailedError(
            f"the secret {service.secret} has no value",
            why="Secrets Manager has no current version of it",
            next_step="`rollbook run --phase provision` makes the first one.",
        )
    return version


def _asks(node: Any) -> bool:
    if isinstance(node, Mapping):
        return any(map(_asks, node.values()))
    if isinstance(node, list):
        return any(map(_asks, node))
    return bool(node == PLACEHOLDER)


def bring(ctx: PhaseContext, manifests: Sequence[Manifest]) -> None:
    """Apply the ExternalSecrets of a release and wait until their Secrets hold the version that is pinned.

    Pods that start afterwards read that version. Nothing happens without ExternalSecrets.
    EnvironmentFailedError tells what the operator says when it does not bring one in time.
    """
    wanted = [one for one in manifests if one["kind"] == "ExternalSecret"]
    if not wanted:
        return
    service, cluster = ctx.service, ctx.world.cluster
    before = cluster.get("Rollout", service.namespace, service.rollout)
    data = {"secret": service.secret, "version": _version(manifests), "before": _annotated(before)}
    with ctx.journal.step(BROUGHT, **data) as step:
        cluster.apply([one for one in manifests if one["kind"] in _BEFORE_PODS])
        step["synced"] = [_until_synced(ctx, str(one["metadata"]["name"])) for one in wanted]
    ctx.say(f"the secret {service.secret} is in the cluster, version {data['version'][:8]}")


def _version(manifests: Sequence[Manifest]) -> str:
    return next((_annotated(one) for one in manifests if one["kind"] == "Rollout"), "")


def _annotated(rollout: Manifest | None) -> str:
    """The version that a Rollout's pod template names; empty when it names none."""
    template = ((rollout or {}).get("spec") or {}).get("template") or {}
    return str(((template.get("metadata") or {}).get("annotations") or {}).get(VERSION_ANNOTATION, ""))


def _until_synced(ctx: PhaseContext, name: str) -> str:
    """The resource version that the operator has synced, which starts with the object's generation."""
    clock, namespace = ctx.world.clock, ctx.service.namespace
    deadline = clock.monotonic() + SYNC_S
    while True:
        found = ctx.world.cluster.get("ExternalSecret", namespace, name) or {}
        status = found.get("status") or {}
        conditions = [one for one in status.get("conditions") or [] if one["type"] == "Ready"]
        ready: Manifest = conditions[0] if conditions else {}
        synced = str(status.get("syncedResourceVersion", ""))
        generation = (found.get("metadata") or {}).get("generation")
        if ready.get("status") == "True" and synced.startswith(f"{generation}-"):
            ctx.folder.write_object(ctx.phase, "ExternalSecret", name, found)
            return synced
        if clock.monotonic() > deadline:
            raise EnvironmentFailedError(
                f"the secret {ctx.service.secret} did not come into the cluster within {SYNC_S:g} s",
                why=str(ready.get("message") or "the operator says nothing of it"),
                next_step=f"Look at ExternalSecret {name} in namespace {namespace}, and at its SecretStore.",
            )
        clock.sleep(POLL_S)
