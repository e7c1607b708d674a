"""Render a service's overlay for one release: image by digest, version, faults, addresses."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rollbook.domain.release import Image
from rollbook.domain.secret import VERSION_ANNOTATION as SECRET_ANNOTATION
from rollbook.domain.service import Service
from rollbook.errors import BadInputError
from rollbook.phases.judge_template import put_judge
from rollbook.phases.synced_secret import PLACEHOLDER, pinned_version
from rollbook.ports import Manifest, World

VERSION_ANNOTATION = "rollbook.dev/version"
FAULT_ANNOTATION = "rollbook.dev/fault"


@dataclass(frozen=True)
class Release:
    """What is to be released: a version in an image, with a fault when it is a drill."""

    version: str
    image: Image
    fault: str = ""
    fault_env: Mapping[str, str] | None = None
    held: bool = False
    """Whether the strategy's timed pauses last until somebody ends them."""
    judged_since: datetime | None = None
    """From when on Argo has the canary judged by `rollbook judge serve`; None when it does not."""


def overlay_manifests(service: Service, world: World, release: Release) -> tuple[Manifest, ...]:
    """The overlay's objects with this release in them.

    Raises BadInputError when the service has no overlay for the target, or when the overlay has no such
    Rollout or container; EnvironmentFailedError when it pins a secret that has no value.
    """
    rendered = overlay_objects(service, world, world.overlay, world.substitutions)
    secret_version = pinned_version(rendered, service, world)
    if secret_version:
        rendered = [_substituted(one, {PLACEHOLDER: f"uuid/{secret_version}"}) for one in rendered]
    rollouts = [
        manifest
        for manifest in rendered
        if manifest.get("kind") == "Rollout" and manifest["metadata"]["name"] == service.rollout
    ]
    if len(rollouts) != 1:
        raise BadInputError(
            f"the overlay {world.overlay} holds {len(rollouts)} Rollouts called {service.rollout}",
            next_step="It should hold exactly one; `rollout:` in the service file names it.",
        )
    _put_release(rollouts[0], service, release)
    if secret_version:
        rollouts[0]["spec"]["template"]["metadata"]["annotations"][SECRET_ANNOTATION] = secret_version
    if release.held:
        for step in _canary(rollouts[0])["steps"]:
            if "pause" in step:
                step["pause"] = {}
    if release.judged_since is not None:
        put_judge(_canary(rollouts[0]), rendered, release.judged_since, service)
    return tuple(rendered)


def declared_steps(service: Service, world: World, release: Release) -> tuple[Manifest, ...]:
    """The canary steps of the overlay's Rollout, as they are declared there."""
    found = overlay_manifests(service, world, replace(release, held=False, judged_since=None))
    [rollout] = (one for one in found if one.get("kind") == "Rollout")
    return tuple(_canary(rollout)["steps"])


def _canary(rollout: Manifest) -> dict[str, Any]:
    """The Rollout's canary strategy, with a list of steps that may be empty."""
    canary: dict[str, Any] = rollout["spec"]["strategy"]["canary"]
    canary.setdefault("steps", [])
    return canary


def overlay_objects(
    service: Service, world: World, name: str, substitutions: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The objects of one of the service's overlays, with what only the target knows.

    BadInputError when the service file names no such overlay, or kustomize refuses it.
    """
    overlay = service.overlays.get(name)
    if overlay is None:
        known = ", ".join(sorted(service.overlays))
        raise BadInputError(
            f"{service.source.name} names no overlay for {name}",
            why=f"it has {known}",
            next_step=f"Add `{name}:` under `overlays:`.",
        )
    return [_substituted(manifest, substitutions) for manifest in world.cluster.render(overlay)]


def _put_release(rollout: dict[str, Any], service: Service, release: Release) -> None:
    template = rollout["spec"]["template"]
    containers = template["spec"]["containers"]
    chosen = [container for container in containers if container["name"] == service.image.container]
    if len(chosen) != 1:
        names = ", ".join(container["name"] for container in containers)
        raise BadInputError(
            f"the Rollout {service.rollout} has no container {service.image.container}",
            why=f"it has {names}",
            next_step="`image.container:` in the service file names the container.",
        )
    chosen[0]["image"] = release.image.reference
    if release.fault_env:
        faulty = dict(release.fault_env)
        kept = [variable for variable in chosen[0].get("env", []) if variable["name"] not in faulty]
        chosen[0]["env"] = [*kept, *({"name": name, "value": value} for name, value in faulty.items())]
    annotations = template.setdefault("metadata", {}).setdefault("annotations", {})
    annotations[VERSION_ANNOTATION] = release.version
    if release.fault:
        annotations[FAULT_ANNOTATION] = release.fault


def _substituted(manifest: Manifest, substitutions: Mapping[str, str]) -> dict[str, Any]:
    """A deep copy in which each exact text of `substitutions` is replaced by its value."""

    def replaced(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {key: replaced(value) for key, value in node.items()}
        if isinstance(node, list):
            return [replaced(value) for value in node]
        return substitutions.get(node, node) if isinstance(node, str) else copy.copy(node)

    result = replaced(manifest)
    assert isinstance(result, dict)  # noqa: S101  # a mapping went in
    return result
