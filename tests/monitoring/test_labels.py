"""Every label that rules, panels and AnalysisTemplates use is one that the metrics have."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.monitoring.asking import Prometheus
from tests.monitoring.files import NOT_IN_THE_SANDBOX, PROJECT, records
from tests.monitoring.labels import Consumer, Reader, Use, consumers, lacking

# The service is no part of the package: its modules are found where they are.
sys.path.insert(0, str(PROJECT / "app"))

pytestmark = pytest.mark.sandbox

OF_THE_TARGET = frozenset(
    {"job", "instance", "namespace", "pod", "container", "app", "app_kubernetes_io_name", "pod_template_hash"}
)
"""Labels that the scrape configuration puts on the service's series."""


@pytest.fixture(scope="session")
def uses(prometheus: Prometheus) -> frozenset[Use]:
    """All uses of all labels."""
    return Reader(prometheus, records()).uses(consumers())


@pytest.fixture(scope="session")
def of_the_service() -> dict[str, frozenset[str]]:
    """Labels by metric: those that the service's own code exposes, and those of the scrape configuration."""
    from hello.metrics import Metrics

    metrics = Metrics("1.0.0", frozenset({"/"}))
    metrics.observe(200, "GET", "/", 0.1, "1")
    text, _ = metrics.exposition("text/plain")
    found: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found[sample.name] |= OF_THE_TARGET | frozenset(sample.labels)
    return dict(found)


def without(provided: Mapping[str, frozenset[str]], label: str) -> dict[str, frozenset[str]]:
    return {metric: labels - {label} for metric, labels in provided.items()}


def test_the_service_has_every_label_that_is_used(
    uses: frozenset[Use], of_the_service: dict[str, frozenset[str]]
) -> None:
    """No rule, panel, AnalysisTemplate or signal asks for a label that the service's metrics lack."""
    assert [] == lacking(uses, of_the_service)


@pytest.mark.parametrize(
    ("label", "named"),
    [
        (
            "code",
            (
                "alert HelloVersionFails",
                "alert HelloErrorBudgetBurnsFast",
                "panel service: Answers by code",
                "panel slo: Availability of the last hour",
                "record namespace:hello_http_errors:ratio_rate5m",
                "AnalysisTemplate hello-success-rate",
                "signal errors",
            ),
        ),
        (
            "le",
            (
                "alert HelloSlow",
                "panel service: Durations of all versions",
                "AnalysisTemplate hello-latency",
                "signal p95",
            ),
        ),
        ("method", ("panel service: Requests by path",)),
        ("path", ("panel service: Requests by path",)),
        ("version", ("panel rollout: p95 by version",)),
        (
            "pod_template_hash",
            ("alert HelloSlow", "AnalysisTemplate hello-latency", "panel rollout: Errors by version"),
        ),
        (
            "namespace",
            ("alert HelloErrorBudgetBurns", "AnalysisTemplate hello-success-rate", "signal memory"),
        ),
        ("pod", ("alert HelloMemoryNearLimit",)),
    ],
)
def test_a_label_that_is_taken_away_is_missed_by_name(
    uses: frozenset[Use], of_the_service: dict[str, frozenset[str]], label: str, named: tuple[str, ...]
) -> None:
    """Without one label, what used it is named; nothing else is complained of."""
    told = lacking(uses, without(of_the_service, label))

    assert [] == [one for one in told if f" has no label {label}, " not in one]
    assert [] == [name for name in named if not any(name in one for one in told)]


def test_no_label_of_the_service_is_left_over(
    uses: frozenset[Use], of_the_service: dict[str, frozenset[str]]
) -> None:
    """Each label that the service itself sets is used by something."""
    own = {(metric, label) for metric, labels in of_the_service.items() for label in labels - OF_THE_TARGET}

    # The sums of a histogram are not asked for; `le` is its buckets' alone.
    assert set() == own - {(use.metric, use.label) for use in uses}


def test_a_label_that_is_aggregated_away_cannot_be_shown(prometheus: Prometheus) -> None:
    """A legend with a label that its query does not give is refused."""
    reader = Reader(prometheus, {})

    with pytest.raises(AssertionError, match="'code'"):
        reader.uses([Consumer("panel", "sum by (path) (rate(a[1m]))", frozenset({"code"}))])


@pytest.mark.parametrize(
    ("query", "shown", "needed"),
    [
        ("a{b='c'}", (), {("a", ""), ("a", "b")}),
        ("sum by (d) (rate(a[1m])) / 2", ("d",), {("a", ""), ("a", "d")}),
        (
            "a * on (h) group_left (v) b",
            ("h", "v"),
            {("a", ""), ("a", "h"), ("b", ""), ("b", "h"), ("b", "v")},
        ),
        ("a unless on () b", ("x",), {("a", ""), ("a", "x"), ("b", "")}),
        ("histogram_quantile(0.9, rate(a[1m]))", (), {("a", ""), ("a", "le")}),
        ("r > 1", ("d",), {("a", ""), ("a", "d"), ("a", "e")}),
    ],
)
def test_labels_are_followed_through_a_query(
    prometheus: Prometheus, query: str, shown: tuple[str, ...], needed: set[tuple[str, str]]
) -> None:
    """Matchers, groupings, joins and recorded metrics lead to the labels of the metrics that were scraped."""
    reader = Reader(prometheus, {"r": "sum by (d, e) (a)"})

    found = reader.uses([Consumer("x", query, frozenset(shown))])

    assert needed == {(use.metric, use.label) for use in found}


def test_the_platform_has_every_label_that_is_used(released: Prometheus, uses: frozenset[Use]) -> None:
    """Metrics of Argo, Traefik and Prometheus have the labels too, in the last hour of a real sandbox.

    A metric that may be missing is named with its reason; other tests may have made it.
    """
    made_by_rules = {"ALERTS"}  # only where an alert is pending or fires
    names = {use.metric for use in uses} - made_by_rules
    live = {name: released.labels_in_the_last_hour(name) for name in names}

    assert set() == {name for name, labels in live.items() if not labels} - set(NOT_IN_THE_SANDBOX)
    assert [] == lacking(uses, {name: labels for name, labels in live.items() if labels})
