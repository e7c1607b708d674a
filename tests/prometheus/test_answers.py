from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rollbook.errors import BadInputError
from rollbook.ports import ScrapeTarget, Series
from rollbook.prometheus.answers import (
    exemplars_of,
    firing_alerts,
    number_of,
    refusal_of,
    rule_groups,
    scrape_targets,
    series_of,
)

DATA = Path(__file__).parent / "data"


def _recorded(name: str) -> Any:
    """`data` of an answer recorded from a real Prometheus 3.12."""
    return json.loads((DATA / f"{name}.json").read_text())["data"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ([], None),
        ([{"metric": {}, "value": [1, "0.25"]}], 0.25),
        ([1.5, "3"], 3.0),
        ([{"metric": {}, "value": [1, "NaN"]}], None),
        ([{"metric": {}, "value": [1, "+Inf"]}], None),
        ([1.5, "-Inf"], None),
    ],
)
def test_one_number_or_none(result: list[Any], expected: float | None) -> None:
    """Vectors of one and scalars are a number; NaN and infinities are no data."""
    assert expected == number_of(result, "query")


def test_several_series_are_not_a_number() -> None:
    """A query that was not aggregated is bad input, and named."""
    with pytest.raises(BadInputError, match="2 series instead of one number: up"):
        number_of([{"value": [1, "1"]}, {"value": [1, "0"]}], "up")


def test_series_are_joined_over_queries() -> None:
    """Points of the same labels follow each other; what is no number is left out."""
    first = [{"metric": {"a": "1"}, "values": [[1, "1"], [2, "NaN"]]}]
    second = [
        {"metric": {"b": "1"}, "values": [[3, "9"]]},
        {"metric": {"a": "1"}, "values": [[3, "3"]]},
    ]
    assert (
        Series({"a": "1"}, ((1.0, 1.0), (3.0, 3.0))),
        Series({"b": "1"}, ((3.0, 9.0),)),
    ) == series_of([first, second])


def test_rule_groups_name_what_fails() -> None:
    """A rule whose evaluation failed is a problem of its group, with Prometheus' reason."""
    (group,) = rule_groups(_recorded("rules"))
    assert ("demo", ("Always", "Broken"), ("demo:up",)) == (group.name, group.alerts, group.recordings)
    (problem,) = group.problems
    assert problem.startswith("Broken: found duplicate series")


def test_scrape_targets_tell_their_health() -> None:
    """A target that cannot be scraped says why."""
    dead, alive = scrape_targets(_recorded("targets"))
    assert ("dead", "127.0.0.1:1", "down") == (dead.job, dead.address, dead.health)
    assert "connection refused" in dead.last_error
    assert ScrapeTarget("self", "127.0.0.1:29090", "up") == alive


def test_firing_alerts() -> None:
    """Only alerts that fire count, each once, by name."""
    assert ("Always",) == firing_alerts(_recorded("alerts"))
    pending = {"alerts": [{"labels": {"alertname": "Soon"}, "state": "pending"}]}
    assert firing_alerts(pending) == ()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("""HTTP Status Code 400 (b'{"error":"parse error"}')""", (400, "parse error")),
        ("HTTP Status Code 502 (b'<html>')", (502, "b'<html>'")),
        ("something else", (0, "something else")),
    ],
)
def test_refusals_are_taken_out_of_the_librarys_message(message: str, expected: tuple[int, str]) -> None:
    """The status and Prometheus' own words are told, whatever the body is."""
    assert expected == refusal_of(message)


def test_exemplars_come_by_time_with_their_ids() -> None:
    """Durations and counts of one recorded answer, the labels of their series beside them."""
    found = exemplars_of(_recorded("exemplars"))
    assert [
        ("df4b42-229", "hello_http_request_duration_seconds_bucket", 0.0286, 1795466124.442),
        ("df4b42-594", "hello_http_request_duration_seconds_bucket", 0.027, 1795466131.911),
        ("df4b42-717", "hello_http_requests_total", 1.0, 1795466134.175),
        ("df4b42-768", "hello_http_requests_total", 1.0, 1795466135.193),
    ] == [(one.labels["request_id"], one.series["__name__"], round(one.value, 4), one.at_s) for one in found]


def test_an_exemplar_without_a_number_is_left_out() -> None:
    """Not a number is no observation."""
    told = {"seriesLabels": {}, "exemplars": [{"labels": {}, "value": "NaN", "timestamp": 1}]}
    assert () == exemplars_of([told])
