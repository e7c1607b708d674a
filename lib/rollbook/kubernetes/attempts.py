"""Requests that an API server has to refuse: dry runs of forbidden objects, and questions as another user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollbook.domain.attempts import AS, SECRETS, Refusal
from rollbook.kubernetes.discovery import Discovery
from rollbook.kubernetes.recording import Recording
from rollbook.kubernetes.rest import ApiServer, ServerRefusedError

REFUSALS = frozenset({400, 403, 422})
"""Statuses by which authorisation, admission and validation refuse; any other is no answer to the attempt."""


class KubernetesAttempts:
    """Satisfies `rollbook.domain.attempts.Attempts`."""

    def __init__(self, server: ApiServer, *, controller: str = "") -> None:
        self._server = server
        self._discovery = Discovery(server)
        self._controller = controller

    @property
    def controller(self) -> str:
        """The user that Argo Rollouts is; empty where nobody says."""
        return self._controller

    def create(self, manifest: Mapping[str, Any]) -> Refusal | None:
        """POST an object with `dryRun=All`: authorisation, admission and validation are those of a real one.

        EnvironmentFailedError when the API server does not answer, or answers with another error.
        """
        resource = self._discovery.find(str(manifest["kind"]), str(manifest["apiVersion"]))
        path = resource.path(str(manifest["metadata"]["namespace"]))
        return _tried(self._server, "POST", path, {"dryRun": "All"}, manifest)

    def list_secrets(self, user: str, namespace: str) -> Refusal | None:
        """GET one Secret of the list, with the header that asks in another user's name.

        EnvironmentFailedError as with `create`.
        """
        where = f"/namespaces/{namespace}" if namespace else ""
        return _tried(ActingAs(self._server, user), "GET", f"/api/v1{where}/{SECRETS}", {"limit": "1"}, None)


class ActingAs(ApiServer):
    """An API server that is asked in another user's name, over the same connections; the records say so.

    https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/ : the caller has to be allowed
    to, and rights are then decided as if the user had asked.
    """

    def __init__(self, server: ApiServer, user: str) -> None:
        self.__dict__.update(server.found.__dict__)
        self.recording = _InTheNameOf(server.recording, user)
        self._user = user

    def credentials(self) -> dict[str, str]:
        """Headers that say who asks, and in whose name."""
        return {**super().credentials(), "Impersonate-User": self._user}


class _InTheNameOf(Recording):
    """Keeps what another keeps, with the name of the user."""

    def __init__(self, inner: Recording, user: str) -> None:
        self._inner = inner
        self._user = user

    def answered(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object | None,
        status: int,
        content: bytes,
    ) -> None:
        self._inner.answered(method, path, {**(query or {}), AS: self._user}, body, status, content)

    def unanswered(
        self, method: str, path: str, query: Mapping[str, str] | None, body: object | None, error: Exception
    ) -> None:
        self._inner.unanswered(method, path, {**(query or {}), AS: self._user}, body, error)


def _tried(
    server: ApiServer, method: str, path: str, query: Mapping[str, str], body: object | None
) -> Refusal | None:
    try:
        server.request(method, path, query=query, body=body)
    except ServerRefusedError as error:
        if error.code not in REFUSALS:
            raise
        return Refusal(error.code, error.message)
    return None
