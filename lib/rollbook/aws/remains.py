"""What is left of an installation in an AWS account, as the teardown asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rollbook.aws.clients import Clients
from rollbook.aws.leftovers import remove_leftovers
from rollbook.aws.sweep import sweep
from rollbook.aws.translation import translated
from rollbook.domain.infrastructure import Leftovers, Sweep
from rollbook.ports import Clock


class AwsRemains:
    """Of one cluster. What AWS refuses is an EnvironmentFailedError."""

    def __init__(self, clients: Clients, cluster: str, clock: Clock) -> None:
        self._clients = clients
        self._cluster = cluster
        self._clock = clock

    def remove(self, vpc: str) -> Leftovers:
        """Remove what controllers of the cluster left in the VPC: see `leftovers.remove_leftovers`."""
        done = remove_leftovers(self._clients, cluster=self._cluster, vpc=vpc, clock=self._clock)
        return Leftovers(
            removed=tuple(str(one) for one in done.removed),
            kept=tuple(f"{one.resource}: {one.why}" for one in done.kept),
        )

    def sweep(self, tags: Mapping[str, str]) -> Sweep:
        """Look for what carries the installation's tags or its cluster's: see `sweep.sweep`."""
        found = sweep(self._clients, cluster=self._cluster, tags=tags, clock=self._clock)
        return Sweep(tuple(str(one) for one in found.left), found.asked, emulated=found.emulated)

    def there_since(self) -> datetime | None:
        """When the cluster was made; None when there is none."""
        client = self._clients.of("eks")
        with translated(f"look for the EKS cluster {self._cluster}"):
            try:
                made = client.describe_cluster(name=self._cluster)["cluster"].get("createdAt")
            except client.exceptions.ResourceNotFoundException:
                return None
        return made if isinstance(made, datetime) else None
