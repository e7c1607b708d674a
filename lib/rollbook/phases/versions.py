"""Which version runs, and which comes next."""

from __future__ import annotations

import re

from rollbook.phases.context import PhaseContext
from rollbook.phases.manifests import VERSION_ANNOTATION
from rollbook.ports import Manifest

TEMPLATE_HASH = "rollouts-pod-template-hash"


def replica_set(ctx: PhaseContext, template_hash: str) -> Manifest | None:
    """The ReplicaSet of a pod-template hash; Argo names it `<rollout>-<hash>`."""
    name = f"{ctx.service.rollout}-{template_hash}"
    return ctx.world.cluster.get("ReplicaSet", ctx.service.namespace, name) if template_hash else None


def stable_version(ctx: PhaseContext) -> str:
    """Version that the stable ReplicaSet runs; empty when it was not released by rollbook."""
    found = replica_set(ctx, ctx.rollout_status().stable_hash)
    if found is None:
        return ""
    annotations = found["spec"]["template"]["metadata"].get("annotations") or {}
    return str(annotations.get(VERSION_ANNOTATION, ""))


def next_minor(version: str) -> str:
    """The next minor version: 1.4.2 -> 1.5.0; anything else gets `.1` at its end."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version)
    return f"{match[1]}.{int(match[2]) + 1}.0" if match else f"{version or '0'}.1"
