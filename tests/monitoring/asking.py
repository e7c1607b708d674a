"""What tests ask a Prometheus: data of the last hour, and how it reads a query."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

Tree = dict[str, Any]
"""A query as `/api/v1/parse_query` has it: Prometheus' own syntax tree."""


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus at `url`. What it refuses is raised as urllib's HTTPError."""

    url: str

    def _get(self, path: str, **parameters: object) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:  # noqa: S310
            return json.load(answer)["data"]

    def parsed(self, query: str) -> Tree:
        """The query's syntax tree."""
        tree = self._get("parse_query", query=query)
        assert isinstance(tree, dict)
        return tree

    def has(self, query: str) -> bool:
        """Whether the query has a value now."""
        return bool(self._get("query", query=query)["result"])

    def series_in_the_last_hour(self, query: str) -> list[Tree]:
        """Series of a query's graph over the last hour, a point each five seconds."""
        now = time.time()
        found = self._get("query_range", query=query, start=now - 3600, end=now, step=5)["result"]
        assert isinstance(found, list)
        return found

    def labels_in_the_last_hour(self, metric: str) -> frozenset[str]:
        """Names of all labels that some series of the metric had; empty when there was none."""
        now = time.time()
        found = self._get("series", **{"match[]": metric, "start": now - 3600, "end": now})
        return frozenset(label for series in found for label in series)
