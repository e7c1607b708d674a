"""Which kinds the API server knows: read from its aggregated discovery, two requests for everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollbook.errors import NotFoundError
from rollbook.kubernetes.rest import ApiServer

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True)
class Resource:
    """One kind in one version of a group; `group` is empty for the core group."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """As manifests write it: `apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Path of the object, or of the collection when `name` is empty.

        An empty namespace gives the collection of all namespaces.
        """
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [base]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


class Discovery:
    """The kinds of one API server, asked for when first needed and again when one is unknown."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._resources: tuple[Resource, ...] = ()

    def find(self, kind: str, api_version: str = "") -> Resource:
        """The resource of a kind (`Rollout`, or with its group `Ingress.networking.k8s.io`).

        NotFoundError when the server does not know it. Without a version the server's preferred one wins,
        and of equal kinds in several groups the one of the core group or of the group listed first.
        """
        found = _pick(self._resources, kind, api_version)
        if found is None:
            self._resources = self._ask()
            found = _pick(self._resources, kind, api_version)
        if found is None:
            wanted = f"{kind} ({api_version})" if api_version else kind
            raise NotFoundError(
                f"the cluster does not know the kind {wanted}",
                why="its CustomResourceDefinition is not installed",
                next_step="Install the controller that owns this kind, then run again.",
            )
        return found

    def forget(self) -> None:
        """Ask again next time: a CustomResourceDefinition was changed."""
        self._resources = ()

    def _ask(self) -> tuple[Resource, ...]:
        lists = [self._api.request("GET", path, accept=DISCOVERY) for path in ("/api", "/apis")]
        return tuple(resource for answer in lists for resource in resources_of(answer))


def resources_of(answer: Mapping[str, Any]) -> Iterator[Resource]:
    """Resources of an `APIGroupDiscoveryList`, in the server's order of preference."""
    for group in answer.get("items", []):
        name = group.get("metadata", {}).get("name", "")
        for version in group.get("versions", []):
            for resource in version.get("resources", []):
                kind = resource.get("responseKind", {}).get("kind", "")
                if kind:
                    yield Resource(
                        group=name,
                        version=version["version"],
                        kind=kind,
                        plural=resource["resource"],
                        namespaced=resource.get("scope") == "Namespaced",
                    )


def _pick(resources: Sequence[Resource], kind: str, api_version: str) -> Resource | None:
    name, _, group = kind.partition(".")
    for resource in resources:
        if resource.kind != name or (group and resource.group != group):
            continue
        if not api_version or resource.api_version == api_version:
            return resource
    return None
