"""Kubernetes objects that the sandbox needs before anything is released into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Manifest = Mapping[str, Any]

ARGO_NAMESPACE = "argo-rollouts"
ARGO_USER = "argo-rollouts"
TRAEFIK_USER = "traefik"
PROMETHEUS_USER = "prometheus"


def vendor_manifests(argo: Path, traefik: Path) -> tuple[Manifest, ...]:
    """CustomResourceDefinitions and ClusterRoles out of the sources of Argo Rollouts and Traefik."""
    reference = traefik / "docs" / "content" / "reference" / "dynamic-configuration"
    files = [
        *sorted((argo / "manifests" / "crds").glob("*-crd.yaml")),
        argo / "manifests" / "role" / "argo-rollouts-clusterrole.yaml",
        reference / "kubernetes-crd-definition-v1.yml",
        reference / "kubernetes-crd-rbac.yml",
    ]
    objects = [found for file in files for found in _load(file)]
    return tuple(found for found in objects if found["kind"] in {"CustomResourceDefinition", "ClusterRole"})


def own_manifests() -> tuple[Manifest, ...]:
    """Namespace, role and bindings of the sandbox's components; each has its own certificate and user."""
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ARGO_NAMESPACE}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "rollbook:prometheus"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
        },
        _binding("rollbook:argo-rollouts", role="argo-rollouts", user=ARGO_USER),
        _binding("rollbook:traefik", role="traefik-ingress-controller", user=TRAEFIK_USER),
        _binding("rollbook:prometheus", role="rollbook:prometheus", user=PROMETHEUS_USER),
    )


def custom_resource_paths(manifests: Sequence[Manifest]) -> tuple[str, ...]:
    """Path of each custom resource's list, over all namespaces."""
    specs = [item["spec"] for item in manifests if item["kind"] == "CustomResourceDefinition"]
    return tuple(
        f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}" for spec in specs
    )


def _binding(name: str, *, role: str, user: str) -> Manifest:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def _load(file: Path) -> Sequence[Manifest]:
    documents = YAML(typ="safe").load_all(file.read_text())
    return [document for document in documents if document]
