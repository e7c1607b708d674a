"""An API server that is reached with bearer tokens made here, instead of the credentials of a kubeconfig."""

from __future__ import annotations

import ssl
from typing import Any, Protocol

from kubernetes import client as kubernetes_client
from rollbook.errors import BadInputError
from rollbook.evidence.answers import Records
from rollbook.kubernetes.rest import ApiServer


class Tokens(Protocol):
    """Gives bearer tokens, and minds when they expire."""

    def token(self) -> str:
        """A token that is valid."""

    def renew(self) -> str:
        """Another one, for the server refused the last."""


def connect(
    endpoint: str, *, certificate_authority: str, tokens: Tokens, records: Records | None = None
) -> ApiServer:
    """The API server at a URL; nothing is asked yet, and nothing is written to disk.

    `certificate_authority` is PEM; empty for the authorities that this machine trusts. A request that is
    answered by 401 is sent once more with a renewed token. BadInputError when the authority is not PEM.
    """
    if certificate_authority:
        try:
            ssl.create_default_context(cadata=certificate_authority)
        except (ssl.SSLError, ValueError) as error:
            raise BadInputError(
                f"the certificate authority of {endpoint} cannot be used",
                why=str(error),
                next_step="Give it as PEM.",
            ) from error
    configuration = kubernetes_client.Configuration(host=endpoint, ca_cert_data=certificate_authority or None)

    def refresh(current: Any) -> None:
        current.api_key["authorization"] = tokens.token()

    configuration.api_key = {"authorization": ""}  # the client calls the hook only where there is a key
    configuration.api_key_prefix = {"authorization": "Bearer"}
    configuration.refresh_api_key_hook = refresh  # type: ignore[assignment]  # None by inference
    return ApiServer.configured(configuration, records, renew=tokens.renew)
