"""HTTP to a Service inside the cluster, through the API server's proxy and with its credentials.

The proxy is `/api/v1/namespaces/NAMESPACE/services/SCHEME:NAME:PORT/proxy/PATH`, as the documentation of
Kubernetes has it (Access Services Running on Clusters). GET needs the verb `get` on `services/proxy`, POST
`create`.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from rollbook.errors import BadInputError
from rollbook.kubernetes.rest import ApiServer

RETRY = Retry(total=3, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504), raise_on_status=False)

_PLACE = re.compile(r"([a-z0-9-]+)/([a-z0-9-]+):([0-9]{1,5})")
_HOST = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?")
_PORTS = {"http": 80, "https": 443}


def service_url(place: str) -> str:
    """The address inside the cluster of `namespace/service:port`; a URL stays as it is.

    `monitoring/prometheus:9090` is `http://prometheus.monitoring.svc:9090`: pods reach it there, and this
    machine does with a `ServiceProxy`. BadInputError when it is neither.
    """
    if urlsplit(place).scheme in _PORTS:
        return place
    found = _PLACE.fullmatch(place)
    if found is None:
        raise BadInputError(
            f"{place!r} is no place of a Service", next_step="Write a URL, or namespace/service:port."
        )
    namespace, name, port = found.groups()
    return f"http://{name}.{namespace}.svc:{port}"


class ServiceProxy(HTTPAdapter):
    """An adapter of requests for URLs such as `http://NAME.NAMESPACE.svc:PORT/...`, mounted on a session.

    Requests take the way, the certificate authority and the credentials of the API server. They go to
    Services only, wherever a redirect points: no answer can make them ask the API server for something else.
    After a 401 they are sent once more with renewed credentials. Requests for other addresses go straight
    there, without credentials. Nothing is recorded: the session does that.
    """

    def __init__(self, server: ApiServer, *, retries: Retry = RETRY) -> None:
        super().__init__(max_retries=retries)
        self._straight = HTTPAdapter(max_retries=retries)
        self._given = server

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send a request; its errors are those of requests."""
        prefix = _prefix(str(request.url))
        if not prefix:
            return self._straight.send(request, *args, **options)
        authorized = request.copy()  # or a redirect would carry the credentials on
        response = super().send(authorized, *args, **options)
        if response.status_code == 401 and self._server._renew is not None:
            response.close()
            self._server._renew()
            response = super().send(authorized, *args, **options)
        response.request = request
        location = response.headers.get("Location")
        if location is not None:
            response.headers["Location"] = _within_the_service(location, prefix)
        return response

    def get_connection_with_tls_context(
        self, *_args: Any, **_options: Any
    ) -> urllib3.connectionpool.HTTPConnectionPool:
        """A connection to the API server, whatever proxy the environment names."""
        return self._server._pool.connection_from_url(self._server.url)

    def cert_verify(self, *_args: Any, **_options: Any) -> None:
        """Leave the authority and the client's certificate as the API server's own pool has them."""

    def request_url(self, request: requests.PreparedRequest, *_args: Any, **_options: Any) -> str:
        """The path beneath the API server."""
        path = request.path_url
        if ".." in unquote(path.partition("?")[0]).split("/"):
            raise requests.exceptions.InvalidURL(f"{request.url} leads out of its Service")
        return urlsplit(self._server.url).path.rstrip("/") + _prefix(str(request.url)) + path

    def add_headers(self, request: requests.PreparedRequest, **_options: Any) -> None:
        """Put the API server's credentials in the place of any other."""
        request.headers.pop("Authorization", None)
        request.headers.update(self._server.credentials())

    @property
    def _server(self) -> ApiServer:
        return self._given.found


def _prefix(url: str) -> str:
    """Path of the API server that stands for the root of a Service; empty for other addresses."""
    parts = urlsplit(url)
    found = _HOST.fullmatch(parts.hostname or "")
    if found is None or parts.scheme not in _PORTS:
        return ""
    service = f"{parts.scheme}:{found['name']}:{parts.port or _PORTS[parts.scheme]}"
    return f"/api/v1/namespaces/{found['namespace']}/services/{service}/proxy"


def _within_the_service(location: str, prefix: str) -> str:
    """Where a Service redirected to: the API server has put the proxy's path before the Service's own."""
    _, rewritten, path = location.partition(prefix)
    return path or "/" if rewritten else location
