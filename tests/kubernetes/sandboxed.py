"""Namespaces and users that tests make in the sandbox's real cluster."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rollbook.kubernetes.rest import ApiServer
from rollbook.sandbox.api import Sandbox


def admin(sandbox: Sandbox) -> ApiServer:
    """The API server, for a user who may do everything."""
    return ApiServer.from_kubeconfig(sandbox.kubeconfig, None)


def create(server: ApiServer, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """POST an object; what became of it."""
    made: dict[str, Any] = server.request("POST", path, body=manifest)
    return made


@contextmanager
def namespace(server: ApiServer, prefix: str) -> Iterator[str]:
    """The name of a new namespace; its deletion is asked for at the end."""
    name = f"{prefix}-{secrets.token_hex(4)}"
    create(server, "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    server.request("DELETE", f"/api/v1/namespaces/{name}")


def account(sandbox: Sandbox, server: ApiServer, place: str, name: str, folder: Path) -> Path:
    """A kubeconfig of a new service account, with a token from the API server and no rights of its own."""
    accounts = f"/api/v1/namespaces/{place}/serviceaccounts"
    create(server, accounts, {"metadata": {"name": name}})
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = create(server, f"{accounts}/{name}/token", asked)["status"]["token"]
    admins = json.loads(sandbox.kubeconfig.read_text())
    user = {"name": name, "user": {"token": token}}
    context = {"name": name, "context": {"cluster": admins["clusters"][0]["name"], "user": name}}
    config = {**admins, "users": [user], "contexts": [context], "current-context": name}
    path = folder / f"{name}.kubeconfig"
    path.write_text(json.dumps(config))
    return path
