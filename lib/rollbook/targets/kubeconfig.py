"""Any cluster that has Argo Rollouts and Traefik, by a context of a kubeconfig."""

from __future__ import annotations

import os
from pathlib import Path

from rollbook.clock import SystemClock
from rollbook.domain.service import Service
from rollbook.domain.target import KUBECONFIG, TargetSpec
from rollbook.evidence.answers import Records
from rollbook.images.elsewhere import BuiltElsewhere, KeptElsewhere
from rollbook.kubernetes.cluster import KubernetesCluster
from rollbook.kubernetes.leases import KubernetesLeases
from rollbook.kubernetes.proxied import service_url
from rollbook.kubernetes.rest import ApiServer
from rollbook.ports import World
from rollbook.targets.parts import (
    PROMETHEUS_PLACEHOLDER,
    addresses_of,
    edge_of,
    kubectl,
    metrics_of,
    preflight_of,
    rendered,
)
from rollbook.traffic.users import UserTraffic


def path() -> Path:
    """The kubeconfig: the first that KUBECONFIG names, or the one of the home folder."""
    named = [one for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    return Path(named[0] if named else "~/.kube/config").expanduser()


def api_server(spec: TargetSpec, records: Records | None) -> ApiServer:
    """The API server of the context. BadInputError when the kubeconfig lacks it."""
    return ApiServer.from_kubeconfig(path(), spec.context, records)


def connect(spec: TargetSpec, service: Service, records: Records | None) -> World:
    """Its collaborators. BadInputError when the kubeconfig lacks the context."""
    server = api_server(spec, records)
    found = addresses_of(service, KUBECONFIG)
    cluster = KubernetesCluster(server, kubectl=kubectl(), container=service.image.container)
    metrics = metrics_of(server, found, records)
    return World(
        target=KUBECONFIG,
        overlay=KUBECONFIG,
        cluster=cluster,
        leases=KubernetesLeases(server),
        cloud=KeptElsewhere(found.registry),
        metrics=metrics,
        traffic=UserTraffic(records),
        images=BuiltElsewhere(),
        clock=SystemClock(),
        edge=edge_of(server, found),
        preflight=lambda: preflight_of(
            server, service, found, metrics, rendered(cluster, service, KUBECONFIG)
        ),
        substitutions={PROMETHEUS_PLACEHOLDER: service_url(found.prometheus)},
        disclosures=(
            f"The cluster is that of the context {spec.context}; its images and add-ons are not rollbook's.",
        ),
    )
