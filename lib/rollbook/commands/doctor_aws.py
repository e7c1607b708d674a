"""`rollbook doctor --target aws`: what a release needs of an AWS account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollbook.domain.findings import Finding

if TYPE_CHECKING:
    from rollbook.aws.clients import Clients

KUBERNETES_VERSION = "1.36"
"""Minor version that terraform/ installs by default."""


def diagnose(
    clients: Clients,
    *,
    repository: str,
    secret: str,
    cluster: str,
    kubernetes_version: str = KUBERNETES_VERSION,
) -> tuple[Finding, ...]:
    """Look at an AWS account, or at an emulator.

    `repository` and `secret` are the service's names for them, `cluster` that of the EKS cluster.
    """
    # Imported here: boto3 takes a second that `rollbook doctor` need not spend on the sandbox.
    from rollbook.aws.permissions import Names
    from rollbook.aws.preflight import preflight
    from rollbook.clock import SystemClock

    return preflight(
        clients,
        names=Names(repository, secret, cluster),
        clock=SystemClock(),
        kubernetes_version=kubernetes_version,
    )
