"""`rollbook doctor --target kubeconfig`: what a release needs of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rollbook.domain.findings import Finding
from rollbook.domain.service import Service
from rollbook.domain.target import KUBECONFIG
from rollbook.ports import Manifest

if TYPE_CHECKING:
    from rollbook.kubernetes.rest import ApiServer


def diagnose(
    server: ApiServer, service: Service, *, target: str = KUBECONFIG, manifests: Sequence[Manifest] = ()
) -> tuple[Finding, ...]:
    """Look at a cluster as a release of this service would find it; nothing is changed.

    `target` says under which name the service file has addresses. `manifests` are those of the overlay,
    rendered; without them, kinds that only this service has are not looked for. Raises nothing that the
    cluster can cause.
    """
    # Imported here: the client libraries take a second that `rollbook doctor` need not spend on the sandbox.
    from rollbook.kubernetes.permissions import Names
    from rollbook.kubernetes.preflight import preflight
    from rollbook.phases.exclusive import lease_name
    from rollbook.targets.parts import addresses_of, metrics_of

    found = addresses_of(service, target)
    return preflight(
        server,
        names=Names(service.namespace, lease_name(service)),
        metrics=metrics_of(server, found, None),
        edge=found.edge,
        manifests=manifests,
    )
