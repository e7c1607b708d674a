"""Fields of our manifests that Argo Rollouts moves while a rollout goes, kept as Argo set them.

Two of the objects that are applied are steered by Argo afterwards: it adds the pod-template hash to the
selectors of the Rollout's Services, and it sets the weights of the TraefikService. Both fields are atomic
to server-side apply, so an apply of the plain manifest would take Argo's part out: for a moment the stable
Service would send its users to the canary too, or half of all users to the canary Service. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollbook.kubernetes.rollouts import HASH_LABEL

Json = Mapping[str, Any]


def with_argo_fields(manifest: Json, live: Json | None) -> dict[str, Any]:
    """The manifest with what Argo Rollouts has set on the living object.

    When something was carried over the living object's resourceVersion is part of the result: the API
    server then refuses it (409) if Argo moved the object in between.
    """
    wanted = dict(manifest)
    if live is None:
        return wanted
    kind = manifest.get("kind")
    if kind == "Service":
        spec = _service_spec(manifest.get("spec") or {}, live.get("spec") or {})
    elif kind == "TraefikService":
        spec = _weighted_spec(manifest.get("spec") or {}, live.get("spec") or {})
    else:
        return wanted
    if spec == manifest.get("spec"):
        return wanted
    version = live["metadata"].get("resourceVersion", "")
    return {**wanted, "spec": spec, "metadata": {**manifest["metadata"], "resourceVersion": version}}


def _service_spec(spec: Json, live: Json) -> dict[str, Any]:
    pinned = (live.get("selector") or {}).get(HASH_LABEL)
    if not pinned or not spec.get("selector"):
        return dict(spec)
    return {**spec, "selector": {**spec["selector"], HASH_LABEL: pinned}}


def _weighted_spec(spec: Json, live: Json) -> dict[str, Any]:
    weights = {
        service.get("name"): service["weight"]
        for service in (live.get("weighted") or {}).get("services") or []
        if "weight" in service
    }
    weighted = spec.get("weighted") or {}
    services = weighted.get("services") or []
    # Only while both sides are those of the living object: other services make it another split.
    if not services or {service.get("name") for service in services} != set(weights):
        return dict(spec)
    carried = [{**service, "weight": weights[service.get("name")]} for service in services]
    return {**spec, "weighted": {**weighted, "services": carried}}
