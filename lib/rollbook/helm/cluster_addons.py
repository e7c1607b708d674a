"""All add-ons of one cluster: each with the objects around it, in order; removed in the reverse order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from rollbook.domain.infrastructure import AddOnRelease
from rollbook.errors import EnvironmentFailedError, NotFoundError
from rollbook.helm.addons import AddOn, wanted
from rollbook.helm.answers import Installed
from rollbook.helm.releases import Helm
from rollbook.ports import Cluster

REMOVE_WAIT_S = 300.0
"""How long an object may take to go; a load balancer's Service waits for its controller."""


class ClusterAddOns:
    """The add-ons of one cluster.

    `helm` opens Helm for as long as its context lasts: before the cluster is made there is nothing to open.
    `rules` are the service's Prometheus rules by name, for the chart that takes them.
    """

    def __init__(
        self,
        addons: Sequence[AddOn],
        cluster: Cluster,
        helm: Callable[[], AbstractContextManager[Helm]],
        rules: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._addons = tuple(addons)
        self._cluster = cluster
        self._helm = helm
        self._rules = rules

    def install(self, outputs: Mapping[str, str], told: Callable[[str], None]) -> tuple[AddOnRelease, ...]:
        """Install or upgrade all that this cluster is to have, each after what it needs.

        `outputs` are Terraform's. Raises BadInputError when values or outputs are wrong, and
        EnvironmentFailedError when one does not become ready: those before it stay.
        """
        done: list[AddOnRelease] = []
        with self._helm() as helm:
            for addon in wanted(self._addons, outputs):
                if addon.before is not None:
                    self._cluster.apply(self._cluster.render(addon.before))
                installed = helm.install(addon, outputs, self._rules)
                # Read back from the cluster: that is what the requirement's check looks for.
                if self._cluster.get("Secret", installed.namespace, installed.secret) is None:
                    raise EnvironmentFailedError(
                        f"helm says that {addon.name} is installed, and the cluster knows nothing of it",
                        why=f"there is no Secret {installed.namespace}/{installed.secret}",
                        next_step="Look whether somebody else changes releases, then run provision again.",
                    )
                if addon.after is not None:
                    self._cluster.apply(self._cluster.render(addon.after))
                told(f"{addon.name}: {installed.chart} {installed.version} is {installed.status}")
                done.append(_release(installed))
        return tuple(done)

    def remove(self, told: Callable[[str], None]) -> tuple[str, ...]:
        """Remove those that are there, with the objects around them; their names. Namespaces go too."""
        removed: list[str] = []
        with self._helm() as helm:
            for addon in reversed(self._addons):
                self._delete(addon.after)
                if helm.uninstall(addon):
                    removed.append(addon.name)
                    told(f"{addon.name} is removed")
                self._delete(addon.before)
        return tuple(removed)

    def _delete(self, overlay: Path | None) -> None:
        for one in reversed(self._cluster.render(overlay) if overlay else ()):
            metadata = one["metadata"]
            group = str(one["apiVersion"]).rpartition("/")[0]
            kind = f"{one['kind']}.{group}" if group else str(one["kind"])
            # Where the kind itself is gone, its objects are too.
            with suppress(NotFoundError):
                self._cluster.delete(
                    kind, str(metadata.get("namespace", "")), str(metadata["name"]), wait_s=REMOVE_WAIT_S
                )


def _release(installed: Installed) -> AddOnRelease:
    return AddOnRelease(
        name=installed.name,
        namespace=installed.namespace,
        chart=installed.chart,
        version=installed.version,
        app=installed.app_version,
        status=installed.status,
    )
