"""The objects of an experiment, made of those of a release: an Argo Experiment, and routes to its
variants. Pure.

There is no second set of manifests: pods are those of the overlay's Rollout, the analysis is the Rollout's
own, and the routes are the users' own with one more condition, a header with the variant.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from rollbook.domain.audience import VARIANTS, A
from rollbook.domain.service import Service
from rollbook.errors import BadInputError
from rollbook.phases.edge import Way
from rollbook.ports import Manifest

VARIANT_LABEL = "rollbook.dev/variant"
PRIORITY = 500_000
"""Of the variants' routes: before the users' own, which count the characters of their rules."""
PROGRESS_S = 60
SCALE_DOWN_S = 30
"""Pods outlive an experiment that Argo ends by itself for so long: time to take the routes away."""
LABELS = {"app.kubernetes.io/managed-by": "rollbook"}


def experiment_name(service: Service) -> str:
    """Name of the Experiment of a service, and of its routes: there is one at a time."""
    return f"{service.rollout}-experiment"


def experiment_manifest(
    service: Service,
    overlays: Mapping[str, Sequence[Manifest]],
    *,
    replicas: int,
    longest_s: int,
    terminate: bool = False,
) -> Manifest:
    """The Experiment: by variant, the pods that the Rollout of its overlay would have, and a Service for
    them.

    Argo ends it after `longest_s` seconds by itself, if nobody does before.
    """
    rollouts = {name: rollout_of(service, overlays[name]) for name in VARIANTS}
    spec: dict[str, Any] = {
        "duration": f"{longest_s}s",
        "progressDeadlineSeconds": PROGRESS_S,
        "scaleDownDelaySeconds": SCALE_DOWN_S,
        "templates": [_template(name, rollouts[name], replicas) for name in VARIANTS],
        "analyses": [one for name in VARIANTS for one in _analyses(name, rollouts[name])],
    }
    if terminate:
        spec["terminate"] = True
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Experiment",
        "metadata": {"name": experiment_name(service), "namespace": service.namespace, "labels": LABELS},
        "spec": spec,
    }


def route_manifests(
    service: Service, way: Way, experiment: Manifest, header: str, ports: Mapping[str, tuple[str, int | str]]
) -> tuple[Manifest, ...]:
    """The users' own routes once more for each variant, for requests with the variant in `header`.

    `ports` has name and port of each variant's Service. The Experiment owns the routes: who deletes it
    deletes them.
    """
    owner = {
        "apiVersion": experiment["apiVersion"],
        "kind": experiment["kind"],
        "name": experiment["metadata"]["name"],
        "uid": experiment["metadata"]["uid"],
    }
    made = []
    for name, entry in zip(route_names(service, way), way.entries, strict=True):
        routes = [
            {
                **route,
                "match": f"({route['match']}) && Header(`{header}`, `{variant}`)",
                "priority": PRIORITY,
                "services": [{"name": ports[variant][0], "port": ports[variant][1]}],
            }
            for route in entry["spec"]["routes"]
            if way.split["metadata"]["name"] in {one["name"] for one in route.get("services", ())}
            for variant in VARIANTS
        ]
        metadata = {
            "name": name,
            "namespace": service.namespace,
            "labels": LABELS,
            "ownerReferences": [owner],
        }
        made.append(
            {
                "apiVersion": entry["apiVersion"],
                "kind": entry["kind"],
                "metadata": metadata,
                "spec": {**entry["spec"], "routes": routes},
            }
        )
    return tuple(made)


def route_names(service: Service, way: Way) -> tuple[str, ...]:
    """Names of the variants' IngressRoutes: one for each of the users' own."""
    name = experiment_name(service)
    return tuple(f"{name}-{number}" if number else name for number in range(len(way.entries)))


def rollout_of(service: Service, manifests: Sequence[Manifest]) -> Manifest:
    """The service's Rollout in an overlay. BadInputError when it is not there."""
    found = [
        one
        for one in manifests
        if one.get("kind") == "Rollout" and one["metadata"]["name"] == service.rollout
    ]
    if not found:
        raise BadInputError(f"the overlay holds no Rollout {service.rollout}")
    return found[0]


def _template(name: str, rollout: Manifest, replicas: int) -> dict[str, Any]:
    """One variant. The label makes its pods others than stable's, also where everything else is the same."""
    template: dict[str, Any] = copy.deepcopy(dict(rollout["spec"]["template"]))
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), VARIANT_LABEL: name}
    matched = {**rollout["spec"]["selector"]["matchLabels"], VARIANT_LABEL: name}
    return {
        "name": name,
        "replicas": replicas,
        "service": {},
        "selector": {"matchLabels": matched},
        "template": template,
    }


def _analyses(name: str, rollout: Manifest) -> list[dict[str, Any]]:
    """The Rollout's background analysis, of this variant's pods."""
    analysis = rollout["spec"]["strategy"]["canary"].get("analysis") or {}
    arguments = [_argument(name, one) for one in analysis.get("args") or ()]
    return [
        {
            "name": f"{one['templateName']}-{name}",
            "templateName": one["templateName"],
            **({"clusterScope": True} if one.get("clusterScope") else {}),
            "args": arguments,
        }
        for one in analysis.get("templates") or ()
    ]


def _argument(name: str, argument: Manifest) -> Manifest:
    """An argument that names a pod-template hash: of the variant for the canary's, of a for stable's."""
    value = (argument.get("valueFrom") or {}).get("podTemplateHashValue")
    if value is None:
        return argument
    which = name if value == "Latest" else A
    return {"name": argument["name"], "value": f"{{{{templates.{which}.podTemplateHash}}}}"}
