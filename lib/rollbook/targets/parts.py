"""What targets with a cluster of somebody else have in common: where Prometheus, the edge and kubectl are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from rollbook.clock import SystemClock
from rollbook.domain.findings import Finding
from rollbook.domain.service import Addresses, Service
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.answers import Records
from rollbook.images.elsewhere import BuiltElsewhere
from rollbook.kubernetes.attempts import KubernetesAttempts
from rollbook.kubernetes.cluster import KubernetesCluster
from rollbook.kubernetes.edge import edge_url
from rollbook.kubernetes.leases import KubernetesLeases
from rollbook.kubernetes.permissions import Names
from rollbook.kubernetes.preflight import preflight
from rollbook.kubernetes.proxied import ServiceProxy, service_url
from rollbook.kubernetes.rest import ApiServer
from rollbook.phases.exclusive import lease_name
from rollbook.ports import Cloud, Manifest, World
from rollbook.prometheus.alerts import ListedAlerts
from rollbook.prometheus.metrics import PrometheusMetrics
from rollbook.traffic.users import UserTraffic

REGION_PLACEHOLDER = "ROLLBOOK_AWS_REGION"
"""Stands in manifests for the region that the secret is in."""
PROMETHEUS_PLACEHOLDER = "ROLLBOOK_PROMETHEUS_URL"
"""Stands in manifests for the address of the target's Prometheus, as the cluster itself reaches it."""
PROMETHEUS = "monitoring/monitoring-prometheus:9090"
"""Where the add-on puts it: namespace, Service and port."""
ALERTMANAGER = "monitoring/monitoring-alertmanager:9093"
EDGE_S = 300.0
"""How long a load balancer may take to get its name."""


def addresses_of(service: Service, target: str) -> Addresses:
    """What the service file says of a target, completed by where the add-ons put things."""
    given = service.addresses.get(target, Addresses())
    return Addresses(
        prometheus=given.prometheus or PROMETHEUS,
        alertmanager=given.alertmanager or ALERTMANAGER,
        edge=given.edge.rstrip("/"),
        registry=given.registry,
    )


def metrics_of(server: ApiServer, found: Addresses, records: Records | None) -> PrometheusMetrics:
    """Prometheus and Alertmanager: by their URLs, or by the API server's proxy where they are Services."""
    inside = any(service_url(place) != place for place in (found.prometheus, found.alertmanager))
    return PrometheusMetrics(
        service_url(found.prometheus),
        service_url(found.alertmanager),
        records=records,
        adapter=ServiceProxy(server) if inside else None,
    )


def alerts_of(server: ApiServer, found: Addresses, records: Records | None) -> ListedAlerts:
    """Alertmanager's own list: of a cluster of somebody else, nobody of ours is told."""
    url = service_url(found.alertmanager)
    adapter = ServiceProxy(server) if url != found.alertmanager else None
    return ListedAlerts(url, SystemClock(), records=records, adapter=adapter)


def outside(
    target: str,
    overlay: str,
    server: ApiServer,
    service: Service,
    cloud: Cloud,
    records: Records | None,
    *,
    substitutions: Mapping[str, str] = MappingProxyType({}),
    disclosures: tuple[str, ...] = (),
) -> World:
    """The collaborators of a cluster of somebody else, whose images are built elsewhere.

    `substitutions` are those beside the address of Prometheus. EnvironmentFailedError without kubectl.
    """
    found = addresses_of(service, target)
    cluster = KubernetesCluster(server, kubectl=kubectl(), container=service.image.container)
    metrics = metrics_of(server, found, records)
    return World(
        target=target,
        overlay=overlay,
        cluster=cluster,
        leases=KubernetesLeases(server),
        cloud=cloud,
        metrics=metrics,
        traffic=UserTraffic(records),
        images=BuiltElsewhere(),
        clock=SystemClock(),
        attempts=KubernetesAttempts(server),
        alerts=alerts_of(server, found, records),
        edge=edge_of(server, found),
        preflight=lambda: preflight_of(server, service, found, metrics, rendered(cluster, service, overlay)),
        substitutions={PROMETHEUS_PLACEHOLDER: service_url(found.prometheus), **substitutions},
        disclosures=disclosures,
    )


def preflight_of(
    server: ApiServer,
    service: Service,
    found: Addresses,
    metrics: PrometheusMetrics,
    manifests: Sequence[Manifest] = (),
) -> tuple[Finding, ...]:
    """Look at a cluster as a release of this service would find it; nothing is changed.

    `manifests` are those of the overlay, rendered; without them, kinds that only this service has are not
    looked for. Raises nothing that the cluster can cause.
    """
    return preflight(
        server,
        names=Names(service.namespace, lease_name(service)),
        metrics=metrics,
        edge=found.edge,
        manifests=manifests,
    )


def rendered(cluster: KubernetesCluster, service: Service, overlay: str) -> tuple[Manifest, ...]:
    """The objects of an overlay; none where the service file has no such overlay."""
    path = service.overlays.get(overlay)
    return cluster.render(path) if path is not None else ()


def edge_of(server: ApiServer, found: Addresses) -> Callable[[], str]:
    """Finds out where users reach the service, once."""

    @cache
    def edge() -> str:
        return found.edge or edge_url(server, timeout_s=EDGE_S)

    return edge


def kubectl() -> Path:
    """The command that renders overlays. EnvironmentFailedError when it is not on the PATH."""
    found = shutil.which("kubectl")
    if found is None:
        raise EnvironmentFailedError(
            "kubectl is not on the PATH",
            why="overlays are rendered by its kustomize",
            next_step="Install it: https://kubernetes.io/docs/tasks/tools/",
        )
    return Path(found)
