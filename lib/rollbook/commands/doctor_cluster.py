"""`rollbook doctor --target kubeconfig`: what a release needs of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollbook.domain.findings import Finding
from rollbook.domain.service import Service
from rollbook.domain.target import KUBECONFIG
from rollbook.ports import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollbook.kubernetes.rest import ApiServer


def diagnose(
    server: ApiServer, service: Service, *, target: str = KUBECONFIG, manifests: Sequence[Manifest] = ()
) -> tuple[Finding, ...]:
    """As `targets.parts.preflight_of`, with the addresses that the service file has of `target`."""
    # Imported here: the client libraries take a second that `rollbook doctor` need not spend on the sandbox.
    from rollbook.targets.parts import addresses_of, metrics_of, preflight_of

    found = addresses_of(service, target)
    return preflight_of(server, service, found, metrics_of(server, found, None), manifests)
