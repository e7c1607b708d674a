"""A session of requests that keeps what Prometheus and Alertmanager answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from rollbook.evidence.answers import NO_ANSWER, Asked, Records, no_answer

LONGEST_TEXT = 2_000
_PREFIXES = ("/api/v1/", "/api/v2/", "/")


class RecordingSession(requests.Session):
    """Keeps each question and its answer. `systems`: names of the systems by the URLs that they are at."""

    def __init__(self, records: Records, systems: dict[str, str]) -> None:
        super().__init__()
        self._records = records
        self._systems = systems

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a prepared request, and keep what came of it."""
        asked = self._asked(request)
        try:
            response = super().send(request, **options)
        except OSError as error:
            self._records.record(asked, NO_ANSWER, no_answer(error))
            raise
        # Where a redirect was followed, its further hops have come through here themselves.
        first = response.history[0] if response.history else response
        try:
            answer = first.json()
        except ValueError:
            answer = first.text[:LONGEST_TEXT]
        self._records.record(asked, str(first.status_code), answer)
        return response

    def _asked(self, request: requests.PreparedRequest) -> Asked:
        url = str(request.url)
        base, system = next(
            ((base, name) for base, name in self._systems.items() if url.startswith(base)), ("", "")
        )
        parts = urlsplit(url.removeprefix(base))
        call = next(parts.path.removeprefix(one) for one in _PREFIXES if parts.path.startswith(one))
        form = request.body if isinstance(request.body, str) else ""  # of a query that is sent by POST
        given = [*parse_qsl(parts.query, keep_blank_values=True), *parse_qsl(form, keep_blank_values=True)]
        return Asked(system, call, dict(given))
