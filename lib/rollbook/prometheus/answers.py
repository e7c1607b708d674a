"""Prometheus' JSON answers turned into our words. Pure.

What is no number (NaN, and the infinities that a division by zero gives) is no data: it is left out.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from rollbook.domain.exemplars import Exemplar
from rollbook.errors import BadInputError
from rollbook.ports import RuleGroup, ScrapeTarget, Series

Json = Mapping[str, Any]


def number_of(result: Sequence[Any], query: str) -> float | None:
    """The one number of an instant query's result (vector or scalar); None when there is none.

    BadInputError when there are several: then the query is not one of a signal.
    """
    if not result:
        return None
    if isinstance(result[0], int | float):  # a scalar: [time, "value"]
        return _finite(result[1])
    if len(result) > 1:
        raise BadInputError(
            f"the query gives {len(result)} series instead of one number",
            why=query,
            next_step="Aggregate it, for example with sum(...).",
        )
    return _finite(result[0]["value"][1])


def series_of(results: Iterable[Sequence[Json]]) -> tuple[Series, ...]:
    """Series of range queries that follow each other in time, joined by their labels, in order of labels."""
    joined: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for result in results:
        for one in result:
            points = joined.setdefault(tuple(sorted(one["metric"].items())), [])
            for moment, text in one.get("values", ()):
                value = _finite(text)
                if value is not None:
                    points.append((float(moment), value))
    return tuple(Series(labels=dict(labels), points=tuple(joined[labels])) for labels in sorted(joined))


def exemplars_of(data: Iterable[Json]) -> tuple[Exemplar, ...]:
    """Exemplars of `/api/v1/query_exemplars`, by time; those whose value is no number are left out."""
    found = [
        Exemplar(one["seriesLabels"], told["labels"], value, float(told["timestamp"]))
        for one in data
        for told in one["exemplars"]
        if (value := _finite(told["value"])) is not None
    ]
    return tuple(sorted(found, key=lambda one: one.at_s))


def rule_groups(data: Json) -> tuple[RuleGroup, ...]:
    """Groups of `/api/v1/rules`."""
    groups = []
    for group in data["groups"]:
        rules = group["rules"]
        groups.append(
            RuleGroup(
                name=group["name"],
                file=group["file"],
                alerts=tuple(rule["name"] for rule in rules if rule["type"] == "alerting"),
                recordings=tuple(rule["name"] for rule in rules if rule["type"] == "recording"),
                problems=tuple(
                    f"{rule['name']}: {rule.get('lastError', '')}"
                    for rule in rules
                    if rule.get("health") == "err"
                ),
            )
        )
    return tuple(groups)


def scrape_targets(data: Json) -> tuple[ScrapeTarget, ...]:
    """Active targets of `/api/v1/targets`, by job and address."""
    found = (
        ScrapeTarget(
            job=target["labels"].get("job", target.get("scrapePool", "")),
            address=urlsplit(target["scrapeUrl"]).netloc,
            health=target["health"],
            last_error=target.get("lastError", ""),
        )
        for target in data["activeTargets"]
    )
    return tuple(sorted(found, key=lambda target: (target.job, target.address)))


def firing_alerts(data: Json) -> tuple[str, ...]:
    """Names of the alerts of `/api/v1/alerts` that fire, each once, sorted."""
    firing = {alert["labels"]["alertname"] for alert in data["alerts"] if alert["state"] == "firing"}
    return tuple(sorted(firing))


def refusal_of(message: str) -> tuple[int, str]:
    """HTTP status and Prometheus' own words out of the client library's error message."""
    found = re.match(r"HTTP Status Code (\d+) \((.*)\)$", message, flags=re.DOTALL)
    if found is None:
        return 0, message
    try:
        words = words_of(ast.literal_eval(found.group(2)))
    except (ValueError, SyntaxError):
        words = ""
    return int(found.group(1)), words or found.group(2)


def words_of(body: str | bytes) -> str:
    """What a refusal says: `error` of Prometheus, `message` of an API server before it; empty for neither."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("error") or answer.get("message") or "") if isinstance(answer, dict) else ""


def _finite(text: object) -> float | None:
    value = float(str(text))
    return value if math.isfinite(value) else None
