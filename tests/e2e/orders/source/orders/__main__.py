"""`python -m orders`: serve the orders until SIGTERM."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from bisect import bisect_left
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RELEASE = os.environ.get("RELEASE", "unknown")
INSTANCE = os.environ.get("INSTANCE", "unknown")
LOSE_EVERY = int(os.environ.get("ORDERS_LOSE_EVERY", "0"))
DELAY_S = int(os.environ.get("ORDERS_DELAY_MS", "0")) / 1000
ORDERS = {"1": {"id": "1", "item": "bicycle"}, "2": {"id": "2", "item": "bell"}}
EDGES_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Tally:
    """Counts answers, and says so in Prometheus' text format."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes = {"served": 0, "missing": 0, "failed": 0}
        self._buckets = [0] * (len(EDGES_S) + 1)
        self._seconds = 0.0

    def add(self, outcome: str, seconds: float) -> None:
        with self._lock:
            self._outcomes[outcome] += 1
            self._buckets[bisect_left(EDGES_S, seconds)] += 1
            self._seconds += seconds

    def text(self) -> str:
        with self._lock:
            lines = ["# TYPE orders_answers_total counter"]
            lines += [
                f'orders_answers_total{{outcome="{name}"}} {count}' for name, count in self._outcomes.items()
            ]
            lines.append("# TYPE orders_answer_seconds histogram")
            sums = list(itertools.accumulate(self._buckets))
            edges = [f"{edge:g}" for edge in EDGES_S] + ["+Inf"]
            lines += [
                f'orders_answer_seconds_bucket{{le="{edge}"}} {total}'
                for edge, total in zip(edges, sums, strict=True)
            ]
            lines += [f"orders_answer_seconds_sum {self._seconds}", f"orders_answer_seconds_count {sums[-1]}"]
        return "\n".join(lines) + "\n"


TALLY = Tally()
CALLS = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    """GET /orders, /orders/<id>, /alive and /metrics."""

    protocol_version = "HTTP/1.1"
    # No timeout: the edge closes idle connections first.
    timeout = None
    # Head and body in one packet: Nagle's algorithm would hold the second one back.
    wbufsize = -1

    def do_GET(self) -> None:
        if self.path == "/alive":
            self._send(200, b"alive\n", "text/plain")
        elif self.path == "/metrics":
            self._send(200, TALLY.text().encode(), "text/plain; version=0.0.4")
        else:
            began = time.perf_counter()
            outcome = self._orders()
            TALLY.add(outcome, time.perf_counter() - began)

    def _orders(self) -> str:
        time.sleep(DELAY_S)
        if LOSE_EVERY and next(CALLS) % LOSE_EVERY == 0:
            self._send(503, b'{"error": "order lost"}\n')
            return "failed"
        if self.path == "/orders":
            self._send(200, json.dumps(list(ORDERS.values())).encode())
            return "served"
        order = ORDERS.get(self.path.removeprefix("/orders/"))
        if order is None:
            self._send(404, b'{"error": "no such order"}\n')
            return "missing"
        self._send(200, json.dumps(order).encode())
        return "served"

    def _send(self, code: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Orders-Release", RELEASE)
        self.send_header("Orders-Instance", INSTANCE)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing: the metrics tell."""


def main() -> None:
    address = (os.environ.get("LISTEN_ON", "127.0.0.1"), int(os.environ.get("LISTEN_PORT", "9000")))
    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    server.server_close()


if __name__ == "__main__":
    main()
