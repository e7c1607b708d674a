"""An API server that is looked for when it is first asked something: it may be made in the meantime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import urllib3

from rollbook.evidence.answers import Records
from rollbook.kubernetes.recording import Recording
from rollbook.kubernetes.rest import ApiServer


class DeferredApiServer(ApiServer):
    """The API server that `connect` finds, at the first request; whatever that raises, the request raises.

    `records` keeps what it answers; `connect` need not.
    """

    def __init__(self, connect: Callable[[], ApiServer], records: Records | None = None) -> None:
        self.recording = Recording(records)
        self._connect = connect

    @property
    def url(self) -> str:
        """Where it is."""
        return self.found.url

    @cached_property
    def found(self) -> ApiServer:
        """The one that was found; looked for once."""
        return self._connect()

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
        return self.found._send(method, path, query, body, content_type, accept, read_timeout_s)
