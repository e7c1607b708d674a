from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping

from rollbook.sandbox.agent.api import NOT_FOUND, ApiClient, ApiError, Json
from rollbook.sandbox.agent.environment import ConfigError
from rollbook.sandbox.agent.podspec import PodSpec

_RETRY_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""The node authorizer learns of a pod's binding a moment after the node does, and refuses until then."""


class ApiObjects:
    """ConfigMaps, Secrets and tokens, each asked for by name: a node may not list them."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Content by key, None when there is no such object. ConfigError when it cannot be read."""
        try:
            found = await self._patiently("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}")
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise ConfigError(f"{kind.removesuffix('s')} {name!r} cannot be read", why=error.why) from error
        content = found.get("data") or {}
        if kind == "secrets":
            return {key: base64.b64decode(value) for key, value in content.items()}
        binary = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
        return {**{key: value.encode() for key, value in content.items()}, **binary}

    async def token(self, pod: PodSpec, audience: str, expiration_s: int) -> str:
        """A service account's token that ends with the pod. ConfigError when none is issued."""
        account = f"/api/v1/namespaces/{pod.namespace}/serviceaccounts/{pod.service_account}"
        spec = {
            "audiences": [audience] if audience else [],
            "expirationSeconds": expiration_s,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid},
        }
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            answer = await self._patiently("POST", f"{account}/token", request)
        except ApiError as error:
            raise ConfigError(
                f"no token for service account {pod.service_account!r}", why=error.why
            ) from error
        return str(answer["status"]["token"])

    async def _patiently(self, verb: str, path: str, body: Json | None = None) -> Json:
        for delay in _RETRY_S:
            try:
                return await self._api.request(verb, path, body)
            except ApiError as error:
                if error.status not in {0, 403, 500, 503}:
                    raise
            await asyncio.sleep(delay)
        return await self._api.request(verb, path, body)
