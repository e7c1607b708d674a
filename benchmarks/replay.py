"""How long a day of counters, 5 s apart, takes to replay by every rule.

    python benchmarks/replay.py [--json]

A server on loopback answers range queries as Prometheus does: requests and errors of stable and of a canary,
a series a pod, 17,281 readings each. What is timed is what `rollbook replay --prometheus` does: asking,
reading the answers, judge, threshold and peeked Fisher test over them, and the object of `--json`. The canary
is healthy, so that rules look all day. Imports are not timed. Ends with 0 only if it takes less than 2 s.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import numpy as np

from rollbook.prometheus.metrics import PrometheusMetrics
from rollbook.replay import history, replaying, telling
from rollbook.replay.policy import DEFAULT

BAR_S = 2.0
EVERY_S, DAY_S, BEGAN_S = 5, 86_400, 1_790_000_000
PODS = 2
SEED = 20260101
READ = {"stable": 45, "canary": 5}
"""Requests that a pod answers between two readings."""
ERRORS = 0.005


class Prometheus(BaseHTTPRequestHandler):
    """Answers range queries: `stable`, `canary`, and both with `_errors`."""

    counters: ClassVar[dict[str, list[list[list[object]]]]] = {}

    def do_GET(self) -> None:
        """The part of a query's series that was asked for."""
        asked = parse_qs(urlsplit(self.path).query)
        first, last = (round((float(asked[end][0]) - BEGAN_S) / EVERY_S) for end in ("start", "end"))
        result = [
            {"metric": {"pod": str(number)}, "values": values[first : last + 1]}
            for number, values in enumerate(self.counters[asked["query"][0]])
        ]
        content = json.dumps({"status": "success", "data": {"result": result}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def day() -> dict[str, list[list[list[object]]]]:
    """Readings of each query, a list a pod."""
    dice = np.random.default_rng(SEED)
    readings = DAY_S // EVERY_S + 1
    moments = [BEGAN_S + EVERY_S * number for number in range(readings)]
    found: dict[str, list[list[list[object]]]] = {}
    for side, rate in READ.items():
        for _ in range(PODS):
            requests = dice.poisson(rate, readings)
            errors = dice.binomial(requests, ERRORS)
            for name, rose in ((side, requests), (f"{side}_errors", errors)):
                values = [[at, str(total)] for at, total in zip(moments, rose.cumsum().tolist(), strict=True)]
                found.setdefault(name, []).append(values)
    return found


def measure(url: str) -> tuple[float, float, dict[str, Any]]:
    """Seconds for all of it, fastest of three; of these for rules alone; and the object that was printed."""
    asked = history.asked(
        {
            "--stable": "stable",
            "--canary": "canary",
            "--stable-errors": "stable_errors",
            "--canary-errors": "canary_errors",
            "--from": str(BEGAN_S),
            "--to": str(BEGAN_S + DAY_S),
        },
        step_s=EVERY_S,
    )
    whole, rules = [], []
    told: dict[str, Any] = {}
    for _ in range(4):  # the first imports what the client library needs
        metrics = PrometheusMetrics(url, url)
        began = time.perf_counter()
        sides = history.read(metrics, asked)
        read = time.perf_counter()
        replayed, notes = replaying.counters(sides, asked.step_s, DEFAULT)
        text = telling.to_json(DEFAULT, replayed, notes, runs=0, prometheus=True)
        ended = time.perf_counter()
        whole.append(ended - began)
        rules.append(ended - read)
        told = json.loads(text)
    return min(whole[1:]), min(rules[1:]), told


def main() -> int:
    """Measure, print, and say whether the bar is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    Prometheus.counters = day()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        whole, rules, told = measure(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    [canary] = told["canaries"]
    passed = whole < BAR_S
    decisions = {one["rule"]: one["after_s"] for one in canary["decisions"]}
    if asked.as_json:
        found = {"day_s": whole, "rules_s": rules, "readings": DAY_S // EVERY_S + 1, "decisions": decisions}
        print(json.dumps({**found, "passed": passed}, indent=2))
    else:
        print(f"a day of readings {EVERY_S} s apart: {whole:.2f} s (at most {BAR_S:g})")
        print(f"  of these {rules:.2f} s for the rules and the object of --json")
        print(f"  {canary['answers']:,} requests of the canary, {canary['failed']:,} failed")
        print(f"  seconds until an abort: {decisions}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
