"""Leases, as `rollbook.ports.Leases` asks for them."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from rollbook.kubernetes.rest import ApiServer, ServerRefusedError
from rollbook.ports import Lease

NAMESPACE = "default"
"""There before any service is, and after it: a service's own namespace is deleted by teardown."""


class KubernetesLeases:
    """Leases in the namespace `default`."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def read(self, name: str) -> Lease | None:
        """The lease, None when there is none."""
        try:
            return _lease(self._api.request("GET", _path(name)))
        except ServerRefusedError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def write(
        self, name: str, holder: str, ttl_s: float, now: datetime, *, over: Lease | None
    ) -> Lease | None:
        """Create the lease, or replace `over` if it is still that one; None when somebody was faster."""
        moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata: dict[str, Any] = {"name": name, "namespace": NAMESPACE}
        if over is not None:
            metadata["resourceVersion"] = over.version
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            # A whole number of seconds is all that the API takes.
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": max(1, round(ttl_s)),
                "renewTime": moment,
            },
        }
        method, path = ("POST", _path()) if over is None else ("PUT", _path(name))
        try:
            return _lease(self._api.request(method, path, body=body))
        except ServerRefusedError as error:
            if error.code in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                return None
            raise

    def delete(self, lease: Lease) -> None:
        """Delete the lease if it is still this one."""
        options = {"preconditions": {"resourceVersion": lease.version}}
        try:
            self._api.request("DELETE", _path(lease.name), body=options)
        except ServerRefusedError as error:
            if error.code not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                raise


def _path(name: str = "") -> str:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
    return f"{path}/{name}" if name else path


def _lease(raw: Any) -> Lease:
    spec = raw.get("spec") or {}
    renewed = spec.get("renewTime") or raw["metadata"]["creationTimestamp"]
    return Lease(
        name=str(raw["metadata"]["name"]),
        holder=str(spec.get("holderIdentity") or ""),
        renewed_at=datetime.fromisoformat(renewed),
        ttl_s=float(spec.get("leaseDurationSeconds") or 0),
        version=str(raw["metadata"]["resourceVersion"]),
    )
