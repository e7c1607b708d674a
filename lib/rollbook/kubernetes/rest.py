"""Requests to one API server: authenticated, retried when that is safe, and with errors in our own words."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.answers import Records
from rollbook.kubernetes.recording import Recording
from rollbook.kubernetes.unreachable import may_pass, unreachable

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
RETRY_DELAYS_S = (0.1, 0.3, 0.8, 2.0)
"""Pauses before each further attempt of a request that may be repeated: 3.2 s in all."""

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

NOT_OF_THE_SCHEMA = "failed to create typed patch object"
"""What server-side apply says of a field of the wrong type, with status 500: it means 422."""


class ServerRefusedError(EnvironmentFailedError):
    """The API server answered with an error status; `code` is the HTTP status, `message` its own words."""

    code: int = 0
    reason: str = ""
    message: str = ""

    @classmethod
    def of(cls, method: str, path: str, code: int, body: bytes) -> ServerRefusedError:
        """Make the error for an answer to `method path`."""
        reason, message = _status_of(body)
        if code == 500 and message.startswith(NOT_OF_THE_SCHEMA):
            code = 422
        if code in {401, 403}:
            next_step = "Check the kubeconfig's user and its permissions (`kubectl auth whoami`)."
        else:
            next_step = "Look at the API server's log, then run again."
        error = cls(
            f"the API server refused {method} {path} ({code})",
            why=message or reason or "it gave no reason",
            next_step=next_step,
        )
        error.code, error.reason, error.message = code, reason, message or reason
        return error


class ApiServer:
    """One API server, reached with the credentials of a kubeconfig, or as `bearer.connect` sets it up.

    `records` keeps what it answers. `renew` makes the credentials anew: after a 401, a request is sent again.
    """

    def __init__(
        self, client: Any, records: Records | None = None, *, renew: Callable[[], object] | None = None
    ) -> None:
        self._renew = renew
        self.recording = Recording(records)
        self._configuration = client.configuration
        self._pool: urllib3.PoolManager = client.rest_client.pool_manager
        self._agent = "rollbook"

    @property
    def found(self) -> ApiServer:
        """This one, or the one that stands behind it."""
        return self

    def credentials(self) -> dict[str, str]:
        """Headers that say who asks, as they are now."""
        return {auth["key"]: auth["value"] for auth in self._configuration.auth_settings().values()}

    @property
    def url(self) -> str:
        """Where it is."""
        host: str = self._configuration.host
        return host

    @classmethod
    def from_kubeconfig(cls, path: Path, context: str | None, records: Records | None = None) -> ApiServer:
        """Read a kubeconfig. BadInputError when it is missing, unreadable or lacks the context."""
        if not path.is_file():
            raise BadInputError(
                f"no kubeconfig at {path}", next_step="Start the sandbox, or give the path of a kubeconfig."
            )
        configuration = kubernetes_client.Configuration()
        load_kube_config: Any = kubernetes_config.load_kube_config  # the client is not typed throughout
        try:
            load_kube_config(
                config_file=str(path),
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
        except Exception as error:  # the loader lets YAML, base64, exec-plugin and its own errors through
            raise BadInputError(
                f"the kubeconfig {path} cannot be used",
                why=str(error) or type(error).__name__,
                next_step="Check it with `kubectl --kubeconfig FILE config view`.",
            ) from error
        return cls.configured(configuration, records)

    @classmethod
    def configured(
        cls, configuration: Any, records: Records | None, *, renew: Callable[[], object] | None = None
    ) -> ApiServer:
        """The API server of a client's configuration; attempts and proxies are set here."""
        if _is_loopback(configuration.host):
            configuration.proxy = None  # a proxy of the environment cannot reach this machine's loopback
        configuration.retries = False
        configuration.connection_pool_maxsize = 4
        return cls(kubernetes_client.ApiClient(configuration), records, renew=renew)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout_s: float = READ_TIMEOUT_S,
    ) -> Any:
        """Send a request and return its JSON answer.

        Every request is repeated on broken connections, 429 and 5xx: send only those that may be.
        Raises ServerRefusedError for any other error status, EnvironmentFailedError when there is no answer.
        """
        data = self.request_bytes(
            method,
            path,
            query=query,
            body=body,
            content_type=content_type,
            accept=accept,
            timeout_s=timeout_s,
        )
        try:
            return json.loads(data)
        except ValueError as error:
            raise EnvironmentFailedError(
                f"the answer of {self.url}{path} is not JSON",
                why=data[:200].decode(errors="replace"),
                next_step="Check that the kubeconfig's server is a Kubernetes API server.",
            ) from error

    def request_bytes(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        content_type: str = "application/json",
        accept: str = "*/*",
        timeout_s: float = READ_TIMEOUT_S,
    ) -> bytes:
        """As `request`, but return the answer's body as it is."""
        for delay in (*RETRY_DELAYS_S, None):
            try:
                response = self._send(method, path, query, body, content_type, accept, timeout_s)
                data: bytes = response.data
            except HTTPError as error:
                self.recording.unanswered(method, path, query, body, error)
                if delay is None or not may_pass(error):
                    raise unreachable(self.url, error) from error
            else:
                self.recording.answered(method, path, query, body, response.status, data)
                if response.status < 400:
                    return data
                refused = ServerRefusedError.of(method, path, response.status, data)
                if delay is None or not (refused.code == 429 or refused.code >= 500):
                    raise refused
            time.sleep(delay)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def lines(
        self, path: str, *, query: Mapping[str, str], read_timeout_s: float
    ) -> Iterator[Iterator[bytes]]:
        """Open a stream (a watch) once; the context gives its lines and closes it at the end.

        A silence of `read_timeout_s` ends the lines, and so does a connection that breaks.
        """
        try:
            response = self._send("GET", path, query, None, "", "application/json", read_timeout_s)
        except HTTPError as error:
            self.recording.unanswered("GET", path, query, None, error)
            raise unreachable(self.url, error) from error
        try:
            if response.status >= 400:
                refusal: bytes = response.data
                self.recording.answered("GET", path, query, None, response.status, refusal)
                raise ServerRefusedError.of("GET", path, response.status, refusal)
            yield _lines_of(response)
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object | None,
        content_type: str,
        accept: str,
        read_timeout_s: float,
    ) -> urllib3.BaseHTTPResponse:
        response = self._send_once(method, path, query, body, content_type, accept, read_timeout_s)
        if response.status != 401 or self._renew is None:
            return response
        self.recording.answered(method, path, query, body, response.status, response.data)
        self._renew()
        return self._send_once(method, path, query, body, content_type, accept, read_timeout_s)

    def _send_once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object | None,
        content_type: str,
        accept: str,
        read_timeout_s: float,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "User-Agent": self._agent, **self.credentials()}
        if body is not None:
            headers["Content-Type"] = content_type
        url = self.url + path + (f"?{urlencode(query)}" if query else "")
        return self._pool.request(
            method,
            url,
            body=None if body is None else json.dumps(body),
            headers=headers,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s),
            retries=False,
            preload_content=False,
        )


def _lines_of(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Whole lines as they come; ends at silence or a broken connection."""
    rest = b""
    try:
        for chunk in response.stream(amt=None):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line for line in whole if line.strip())
    except (ReadTimeoutError, ProtocolError):
        return


def _status_of(body: bytes) -> tuple[str, str]:
    """Reason and message of a `Status` object; a body that is none is its own message."""
    try:
        status = json.loads(body)
    except ValueError:
        return "", body[:300].decode(errors="replace").strip()
    if not isinstance(status, dict):
        return "", ""
    return str(status.get("reason") or ""), str(status.get("message") or "")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
