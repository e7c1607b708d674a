"""How Prometheus and Alertmanager are asked over HTTP: the session, and what is raised when it fails."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from urllib3.util.retry import Retry

from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.answers import Records
from rollbook.prometheus import answers

if TYPE_CHECKING:  # importing requests takes time that `--help` need not spend
    from requests import Session
    from requests.adapters import BaseAdapter

TIMEOUT_S = 10
RETRY = Retry(total=3, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504), raise_on_status=False)


def session_of(systems: Mapping[str, str], records: Records | None, adapter: BaseAdapter | None) -> Session:
    """A session of requests for systems by their URLs; `records` keeps what they answer.

    `adapter` is another way to them than straight over the network.
    """
    import requests

    from rollbook.prometheus.recording import RecordingSession

    session = requests.Session() if records is None else RecordingSession(records, dict(systems))
    # A proxy of the environment cannot reach this machine's loopback.
    session.trust_env = not any(_is_loopback(url) for url in systems)
    chosen = adapter or requests.adapters.HTTPAdapter(max_retries=RETRY)
    for url in systems:
        # The client library mounts an adapter of its own at its URL; that of the longer one is taken.
        session.mount(url + "/", chosen)
    return session


def get_json(session: Session, url: str, parameters: Mapping[str, str] | None = None) -> Any:
    """GET JSON. EnvironmentFailedError when it does not come."""
    try:
        response = session.get(url, params=parameters, timeout=TIMEOUT_S)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            words = answers.words_of(response.content) or response.text.strip()[:200]
            raise refused(url, response.status_code, words)
        return response.json()
    except (OSError, ValueError) as error:
        raise unreachable(url, error) from error


def refused(url: str, status: int, words: str) -> EnvironmentFailedError:
    """The error for an answer that says no."""
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        next_step = "Give the user of the target's credentials the permission that it names."
    elif status == HTTPStatus.NOT_FOUND:
        next_step = "Check its address, above all the name and the port of its Service."
    else:
        next_step = "Look at its log, then run again."
    return EnvironmentFailedError(f"{url} answered {status}", why=words, next_step=next_step)


def unreachable(url: str, error: Exception) -> EnvironmentFailedError:
    """The error for no answer, or for one that is no JSON."""
    return EnvironmentFailedError(
        f"no answer from {url}",
        why=reason(error),
        next_step="Check that it is up (`rollbook sandbox status`), then run again.",
    )


def reason(error: BaseException) -> str:
    """The innermost reason in plain words: requests wraps urllib3, which wraps the system."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return str(error) or type(error).__name__


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
