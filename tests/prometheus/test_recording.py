"""What is kept of questions to Prometheus and Alertmanager."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.evidence.kept import Kept
from tests.prometheus.test_metrics import NOBODY, metrics

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.prometheus.metrics import PrometheusMetrics

__all__ = ["metrics"]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def asked(metrics: PrometheusMetrics, kept: Kept) -> PrometheusMetrics:
    """The adapter in front of the same server, with somebody who keeps."""
    return PrometheusMetrics(metrics._prometheus_url, NOBODY, records=kept)


def test_a_range_query_is_kept_with_its_window(asked: PrometheusMetrics, kept: Kept) -> None:
    """Query, start, end, step, and the answer as it came."""
    asked.range("up", start=NOW, end=NOW + timedelta(seconds=2), step_s=1)

    ((call, parameters, status, answer),) = kept.all
    assert ("query_range", "200") == (call, status)
    began = NOW.timestamp()
    assert {"query": "up", "start": f"{began:.3f}", "end": f"{began + 2:.3f}", "step": "1.000"} == {
        key: parameters[key] for key in ("query", "start", "end", "step")
    }
    assert 3 == len(answer["data"]["result"][0]["values"])
    assert ["prometheus"] == kept.systems


def test_a_refused_query_is_kept(asked: PrometheusMetrics, kept: Kept) -> None:
    """With Prometheus' own words."""
    with pytest.raises(BadInputError):
        asked.instant("bad")

    assert [("query", "400", "parse error")] == [
        (call, status, answer["error"]) for call, _, status, answer in kept.all
    ]


def test_no_answer_is_kept(kept: Kept) -> None:
    """What nobody answered says what was in the way."""
    with pytest.raises(EnvironmentFailedError):
        PrometheusMetrics(NOBODY, NOBODY, records=kept).rules()

    assert [("rules", "no answer")] == [(call, status) for call, _, status, _ in kept.all]


def test_components_are_told_apart(asked: PrometheusMetrics, kept: Kept) -> None:
    """Prometheus and Alertmanager each by their name."""
    asked.components()

    assert [
        ("prometheus", "status/buildinfo", "200"),
        ("prometheus", "-/ready", "503"),
        ("alertmanager", "status", "no answer"),
    ] == [(system, call, status) for system, (call, _, status, _) in zip(kept.systems, kept.all, strict=True)]
