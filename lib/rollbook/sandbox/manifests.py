"""Kubernetes objects that the sandbox needs before anything is released into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Manifest = Mapping[str, Any]

ARGO_NAMESPACE = "argo-rollouts"
ARGO_USER = "argo-rollouts"
ARGO_ROLE = "argo-rollouts"
ARGO_NOTIFICATIONS = "argo-rollouts-notification-secret"
"""The one Secret that its controller asks for by itself (utils/record, NotificationSecret)."""
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


def least(manifests: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """Vendors' manifests, with roles that give no Secrets to whoever needs none.

    Argo Rollouts reads one Secret, that of its notifications, and those that AnalysisTemplates refer to; its
    role gives it all of the cluster.
    """
    return tuple(_without_secrets(item) if _is_role(item, ARGO_ROLE) else item for item in manifests)


def _is_role(item: Manifest, name: str) -> bool:
    return bool(item["kind"] == "ClusterRole" and item["metadata"]["name"] == name)


def _without_secrets(role: Manifest) -> Manifest:
    rules = [
        {**rule, "resources": [one for one in rule["resources"] if one != "secrets"]}
        for rule in role["rules"]
    ]
    own = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": [ARGO_NOTIFICATIONS],
        "verbs": ["get", "list", "watch"],
    }
    return {**role, "rules": [*(rule for rule in rules if rule["resources"]), own]}


def crds_of(*files: Path) -> tuple[Manifest, ...]:
    """CustomResourceDefinitions in files of a module, with the versions alone that are served.

    Versions that are neither served nor stored are half of a definition's size, and nobody can use them.
    """
    found = [one for file in files for one in _load(file) if one["kind"] == "CustomResourceDefinition"]
    return tuple(
        {
            **one,
            "spec": {
                **one["spec"],
                "versions": [each for each in one["spec"]["versions"] if each["served"] or each["storage"]],
            },
        }
        for one in found
    )


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
        binding("rollbook:argo-rollouts", role=ARGO_ROLE, user=ARGO_USER),
        binding("rollbook:traefik", role="traefik-ingress-controller", user=TRAEFIK_USER),
        binding("rollbook:prometheus", role="rollbook:prometheus", user=PROMETHEUS_USER),
    )


def custom_resource_paths(manifests: Sequence[Manifest]) -> tuple[str, ...]:
    """Path of each custom resource's list, over all namespaces."""
    specs = [item["spec"] for item in manifests if item["kind"] == "CustomResourceDefinition"]
    return tuple(
        f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}" for spec in specs
    )


def binding(name: str, *, role: str, user: str) -> Manifest:
    """A ClusterRole for one of the sandbox's users."""
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
