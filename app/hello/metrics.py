"""What the service counts."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0)
"""Upper bounds of the duration buckets, in seconds; dense around the objective of 0.3 s."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The service's metrics in a registry of their own."""

    def __init__(self, version: str, paths: frozenset[str]) -> None:
        """`paths`: those with a series of their own; all others are counted as `other`."""
        disable_created_metrics()
        self._registry = CollectorRegistry()
        self._paths = paths
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "hello_http_requests",
            "Answers given to users, by status code, method and path.",
            ["code", "method", "path"],
            registry=self._registry,
        )
        self._duration = Histogram(
            "hello_http_request_duration_seconds",
            "Seconds from the request's head to the end of its answer.",
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._conversions = Counter(
            "hello_conversions",
            "Visits of users who converted.",
            registry=self._registry,
        )
        info = Gauge("hello_build_info", "Always 1; the label tells the version.", ["version"],
                     registry=self._registry)  # fmt: skip
        info.labels(version).set(1)
        self._children: dict[tuple[int, str, str], Counter] = {}
        # Series that begin at 0 let a rate see the first request and the first failure.
        for code in (200, 500):
            self._child(code, "GET", "/")

    def observe(self, code: int, method: str, path: str, seconds: float, request_id: str) -> None:
        """Count one answer; its duration, and a failure, carry the request's id as their exemplar."""
        exemplar = {"request_id": request_id}
        self._child(code, method, path).inc(1, exemplar if code >= 500 else None)
        self._duration.observe(seconds, exemplar)

    def converted(self) -> None:
        """Count one visit of a user who converted."""
        self._conversions.inc()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics, and the content type, as `accept` asks: OpenMetrics alone carries exemplars."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _child(self, code: int, method: str, path: str) -> Counter:
        method = method if method in _METHODS else "OTHER"
        path = path if path in self._paths else "other"
        key = (code, method, path)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(str(code), method, path)
        return child
