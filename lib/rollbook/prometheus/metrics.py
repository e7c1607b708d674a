"""Prometheus and Alertmanager, as `rollbook.ports.Metrics` asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from rollbook.domain.exemplars import Exemplar
from rollbook.domain.release import Component
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.answers import Records
from rollbook.ports import RuleGroup, ScrapeTarget, Series
from rollbook.prometheus import answers
from rollbook.prometheus.asking import RETRY, TIMEOUT_S, get_json, reason, refused, session_of, unreachable

if TYPE_CHECKING:  # importing requests takes time that `--help` need not spend
    from requests import Session
    from requests.adapters import BaseAdapter

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

    def range(
        self,
        query: str,
        *,
        start: datetime,
        end: datetime,
        step_s: float,
        about: Mapping[str, str] | None = None,
    ) -> tuple[Series, ...]:
        """A range query, both ends included; points that are no numbers are left out.

        `about` becomes parameters of the question, which Prometheus passes over and the record keeps.
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
            ends = {**(about or {}), **ends}
            results.append(self._ask(query, partial(self._range, query, start, end, step_s, ends)))
        return answers.series_of(results)

    def vector(self, query: str) -> tuple[Series, ...]:
        """All results of a query now, one point each, by their labels; what is no number is left out.

        BadInputError when Prometheus cannot parse the query.
        """
        result = self._ask(query, lambda: self._client.custom_query(query))
        return answers.series_of([[{"metric": one["metric"], "values": [one["value"]]} for one in result]])

    def exemplars(self, query: str, *, start: datetime, end: datetime) -> tuple[Exemplar, ...]:
        """Exemplars of the series that a query reads, by time.

        Empty where Prometheus runs without `--enable-feature=exemplar-storage`.
        """
        asked = {"query": query, "start": f"{start.timestamp():.3f}", "end": f"{end.timestamp():.3f}"}
        url = f"{self._prometheus_url}/api/v1/query_exemplars?{urlencode(asked)}"
        return answers.exemplars_of(self._get(url)["data"])

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
    def _session(self) -> Session:
        systems = {self._prometheus_url: "prometheus", self._alertmanager_url: "alertmanager"}
        return session_of(systems, self._records, self._adapter)

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
            raise refused(self._prometheus_url, status, words) from error
        except OSError as error:  # every error of requests is one
            raise unreachable(self._prometheus_url, error) from error

    def _get(self, url: str) -> Any:
        """GET JSON. EnvironmentFailedError when it does not come."""
        return get_json(self._session, url)

    def _component(self, name: str, url: str, version: Callable[[], str]) -> Component:
        try:
            found = version()
            answer = self._session.get(url + "/-/ready", timeout=TIMEOUT_S)
        except EnvironmentFailedError as error:
            return Component(name, "", healthy=False, detail=error.why or error.what)
        except (KeyError, TypeError):
            return Component(name, "", healthy=False, detail=f"what answers at {url} is something else")
        except OSError as error:
            return Component(name, found, healthy=False, detail=reason(error))
        ready = answer.status_code == 200
        return Component(name, found, healthy=ready, detail="" if ready else answer.text.strip()[:200])
