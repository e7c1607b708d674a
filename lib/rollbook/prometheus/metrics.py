"""Prometheus and Alertmanager, as `rollbook.ports.Metrics` asks for them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import datetime
from functools import cached_property, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from urllib3.util.retry import Retry

from rollbook.domain.release import Component
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.answers import Records
from rollbook.ports import RuleGroup, ScrapeTarget, Series
from rollbook.prometheus import answers

if TYPE_CHECKING:  # importing requests takes time that `--help` need not spend
    from requests.adapters import BaseAdapter

TIMEOUT_S = 10
RETRY = Retry(total=3, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
POINTS_A_QUERY = 10_000
"""Prometheus refuses more than 11,000 points a series in one answer."""


class PrometheusMetrics:
    """Asks a Prometheus and its Alertmanager; the client library is imported at the first question.

    `records` keeps what they answer. `adapter` is another way to both URLs than straight over the network;
    what it raises must be errors of requests.
    """

    def __init__(
        self,
        prometheus_url: str,
        alertmanager_url: str,
        *,
        records: Records | None = None,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self._records = records
        self._adapter = adapter
        self._prometheus_url = prometheus_url.rstrip("/")
        self._alertmanager_url = alertmanager_url.rstrip("/")

    def components(self) -> tuple[Component, ...]:
        """Prometheus and Alertmanager: version and readiness; one that does not answer is not healthy."""
        return (
            self._component(
                "prometheus",
                self._prometheus_url,
                lambda: self._get(self._prometheus_url + "/api/v1/status/buildinfo")["data"]["version"],
            ),
            self._component(
                "alertmanager",
                self._alertmanager_url,
                lambda: self._get(self._alertmanager_url + "/api/v2/status")["versionInfo"]["version"],
            ),
        )

    def instant(self, query: str) -> float | None:
        """One number now; None when the query gives nothing, NaN or an infinity.

        BadInputError when Prometheus cannot parse the query, or when it gives several series.
        """
        result = self._ask(query, lambda: self._client.custom_query(query))
        return answers.number_of(result, query)

    def range(self, query: str, *, start: datetime, end: datetime, step_s: float) -> tuple[Series, ...]:
        """A range query, both ends included; points that are no numbers are left out.

        BadInputError when Prometheus cannot parse the query, or the step is not positive.
        """
        if step_s <= 0:
            raise BadInputError(f"a step of {step_s:g} s is not positive")
        begin, last = start.timestamp(), end.timestamp()
        if last < begin:
            return ()
        span = POINTS_A_QUERY * step_s
        results = []
        for number in range(int((last - begin) // span) + 1):
            first = begin + number * span
            # The library would round the ends to whole seconds: they are handed over as parameters.
            ends = {"start": f"{first:.3f}", "end": f"{min(last, first + span - step_s):.3f}"}
            results.append(self._ask(query, partial(self._range, query, start, end, step_s, ends)))
        return answers.series_of(results)

    def rules(self) -> tuple[RuleGroup, ...]:
        """Loaded rule groups."""
        return answers.rule_groups(self._get(self._prometheus_url + "/api/v1/rules")["data"])

    def targets(self) -> tuple[ScrapeTarget, ...]:
        """Active scrape targets, by job and address."""
        return answers.scrape_targets(self._ask("targets", lambda: self._client.get_targets("active")))

    def firing(self) -> tuple[str, ...]:
        """Names of the alerts that Prometheus holds to fire now, sorted.

        Prometheus is asked, not Alertmanager: the latter keeps an alert for minutes after its end.
        """
        return answers.firing_alerts(self._get(self._prometheus_url + "/api/v1/alerts")["data"])

    @cached_property
    def _session(self) -> Any:
        import requests

        from rollbook.prometheus.recording import RecordingSession

        systems = {self._prometheus_url: "prometheus", self._alertmanager_url: "alertmanager"}
        records = self._records
        session = requests.Session() if records is None else RecordingSession(records, systems)
        # A proxy of the environment cannot reach this machine's loopback.
        session.trust_env = not _is_loopback(self._prometheus_url)
        adapter = self._adapter or requests.adapters.HTTPAdapter(max_retries=RETRY)
        for url in (self._prometheus_url, self._alertmanager_url):
            # The client library mounts an adapter of its own at its URL; that of the longer one is taken.
            session.mount(url + "/", adapter)
        return session

    @cached_property
    def _client(self) -> Any:
        from prometheus_api_client import PrometheusConnect

        return PrometheusConnect(self._prometheus_url, session=self._session, retry=RETRY, timeout=TIMEOUT_S)

    def _range(self, query: str, start: datetime, end: datetime, step_s: float, ends: dict[str, str]) -> Any:
        return self._client.custom_query_range(query, start, end, f"{step_s:.3f}", params=ends)

    def _ask(self, query: str, ask: Callable[[], Any]) -> Any:
        """Ask through the client library, its errors translated."""
        from prometheus_api_client.exceptions import PrometheusApiClientException

        try:
            return ask()
        except PrometheusApiClientException as error:
            status, words = answers.refusal_of(str(error))
            if status in {400, 422}:
                raise BadInputError(
                    "Prometheus refuses a query",
                    why=f"{words} in {query}",
                    next_step="Correct the query in the service file.",
                ) from error
            raise _refused(self._prometheus_url, status, words) from error
        except OSError as error:  # every error of requests is one
            raise _unreachable(self._prometheus_url, error) from error

    def _get(self, url: str) -> Any:
        """GET JSON. EnvironmentFailedError when it does not come."""
        try:
            response = self._session.get(url, timeout=TIMEOUT_S)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                words = answers.words_of(response.content) or response.text.strip()[:200]
                raise _refused(url, response.status_code, words)
            return response.json()
        except (OSError, ValueError) as error:
            raise _unreachable(url, error) from error

    def _component(self, name: str, url: str, version: Callable[[], str]) -> Component:
        try:
            found = version()
            answer = self._session.get(url + "/-/ready", timeout=TIMEOUT_S)
        except EnvironmentFailedError as error:
            return Component(name, "", healthy=False, detail=error.why or error.what)
        except (KeyError, TypeError):
            return Component(name, "", healthy=False, detail=f"what answers at {url} is something else")
        except OSError as error:
            return Component(name, found, healthy=False, detail=_reason(error))
        ready = answer.status_code == 200
        return Component(name, found, healthy=ready, detail="" if ready else answer.text.strip()[:200])


def _refused(url: str, status: int, words: str) -> EnvironmentFailedError:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        next_step = "Give the user of the target's credentials the permission that it names."
    elif status == HTTPStatus.NOT_FOUND:
        next_step = "Check its address, above all the name and the port of its Service."
    else:
        next_step = "Look at its log, then run again."
    return EnvironmentFailedError(f"{url} answered {status}", why=words, next_step=next_step)


def _unreachable(url: str, error: Exception) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        f"no answer from {url}",
        why=_reason(error),
        next_step="Check that it is up (`rollbook sandbox status`), then run again.",
    )


def _reason(error: BaseException) -> str:
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
