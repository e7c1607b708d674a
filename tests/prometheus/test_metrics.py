from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from rollbook.domain.release import Component
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.prometheus.metrics import PrometheusMetrics

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOBODY = "http://127.0.0.1:1"


class _Prometheus(BaseHTTPRequestHandler):
    """Answers range queries as Prometheus would for `vector(time())`, and refuses `bad`."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if asked.get("query") == "bad":
            self._answer(400, {"status": "error", "error": "parse error"})
        elif url.path.endswith("/query_range"):
            start, end, step = (float(asked[name]) for name in ("start", "end", "step"))
            times = [start + step * number for number in range(round((end - start) / step) + 1)]
            if len(times) > 11_000:
                self._answer(400, {"status": "error", "error": "exceeded maximum resolution"})
                return
            values = [[time, str(time)] for time in times]
            self._answer(200, {"data": {"result": [{"metric": {}, "values": values}]}})
        elif url.path.endswith("/query_exemplars"):
            told = {"labels": asked, "value": "0.5", "timestamp": 2}
            self._answer(200, {"data": [{"seriesLabels": {"job": "x"}, "exemplars": [told]}]})
        elif url.path.endswith("/buildinfo"):
            self._answer(200, {"data": {"version": "3.12.0"}})
        else:
            self._answer(503, {"error": "not ready"})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def metrics() -> Iterator[PrometheusMetrics]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield PrometheusMetrics(f"http://127.0.0.1:{http.server_port}/", NOBODY)
    http.shutdown()
    http.server_close()
    thread.join()


def test_a_long_range_is_asked_in_parts(metrics: PrometheusMetrics) -> None:
    """Seven hours at one second come whole: no point twice, none missing, both ends in."""
    (series,) = metrics.range("q", start=NOW, end=NOW + timedelta(hours=7), step_s=1)
    assert [NOW.timestamp() + second for second in range(7 * 3600 + 1)] == [time for time, _ in series.points]


def test_the_ends_of_a_range_are_not_rounded(metrics: PrometheusMetrics) -> None:
    """A range may start between two seconds."""
    (series,) = metrics.range(
        "q", start=NOW + timedelta(seconds=0.25), end=NOW + timedelta(seconds=1.25), step_s=0.5
    )
    assert [0.25, 0.75, 1.25] == [time - NOW.timestamp() for time, _ in series.points]


def test_a_range_that_ends_before_it_starts_is_empty(metrics: PrometheusMetrics) -> None:
    """Nothing is asked for a time that is none."""
    assert metrics.range("q", start=NOW, end=NOW - timedelta(seconds=1), step_s=1) == ()


def test_exemplars_are_asked_for_by_query_and_time(metrics: PrometheusMetrics) -> None:
    """The query goes out whole, and both ends as seconds since the epoch."""
    (found,) = metrics.exemplars('rate(x{a="b c"}[10s])', start=NOW, end=NOW + timedelta(seconds=1.5))
    begin = NOW.timestamp()
    assert {
        "query": 'rate(x{a="b c"}[10s])',
        "start": f"{begin:.3f}",
        "end": f"{begin + 1.5:.3f}",
    } == found.labels
    assert ({"job": "x"}, 0.5, 2.0) == (found.series, found.value, found.at_s)


def test_a_step_must_be_positive(metrics: PrometheusMetrics) -> None:
    """A step of 0 is bad input."""
    with pytest.raises(BadInputError, match="not positive"):
        metrics.range("q", start=NOW, end=NOW, step_s=0)


def test_a_query_that_cannot_be_parsed(metrics: PrometheusMetrics) -> None:
    """Prometheus' reason and the query are told."""
    with pytest.raises(BadInputError, match="parse error in bad"):
        metrics.instant("bad")


def test_components_that_are_down_are_not_healthy(metrics: PrometheusMetrics) -> None:
    """One that is not ready and one that is not there are told apart by their detail."""
    prometheus, alertmanager = metrics.components()
    assert ("prometheus", "3.12.0", False) == (prometheus.name, prometheus.version, prometheus.healthy)
    assert "not ready" in prometheus.detail
    assert Component("alertmanager", "", healthy=False, detail="Connection refused") == alertmanager


def test_a_prometheus_that_is_down() -> None:
    """A refused connection says where and what to do."""
    with pytest.raises(EnvironmentFailedError, match="no answer from http") as caught:
        PrometheusMetrics(NOBODY, NOBODY).instant("up")
    assert "sandbox status" in caught.value.next_step


def test_something_else_at_the_address_is_not_healthy(metrics: PrometheusMetrics) -> None:
    """An answer that is JSON, but not Prometheus', is told as such instead of failing on its shape."""
    here = metrics._prometheus_url
    other, _ = PrometheusMetrics(f"{here}/query_range?start=0&end=0&step=1#", NOBODY).components()
    assert (False, "") == (other.healthy, other.version)
    assert "something else" in other.detail
