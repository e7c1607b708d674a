"""One question to Prometheus for all that the judge reads of both sides, and its answer taken apart again.

Each of the service's counters is asked for either side. Labels of our own tell the results apart, so that a
look costs one request. A range query of the same text gives the looks of the past.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SIDE, COUNTER = "rollbook_side", "rollbook_counter"
STABLE, CANARY = "stable", "canary"
REQUESTS, ERRORS, BUCKETS, MEMORY, SCRAPED = "requests", "errors", "latency_buckets", "memory", "scraped"
"""Names of counters: running totals of requests and failed ones, of requests by edge of a latency histogram,
bytes by process, and the moment of the last scrape."""
_EDGE = "le"

Answer = Iterable[tuple[Mapping[str, str], float]]
"""Labels and value of each result, at one moment."""


@dataclass(frozen=True)
class Sample:
    """What is known of one side at a moment.

    `buckets` is cumulative, by upper edge in seconds; `memory` in bytes, by process; `scraped_s` in seconds
    since the epoch, None where the service names no query for it, or nothing was scraped.
    """

    requests: int = 0
    errors: int = 0
    buckets: Mapping[float, int] = field(default_factory=dict)
    memory: Mapping[str, float] = field(default_factory=dict)
    scraped_s: float | None = None


def question(counters: Mapping[str, str], namespace: str, hashes: Mapping[str, str]) -> str:
    """PromQL for `counters` of each side of `hashes` that has a hash: `$namespace` and `$hash` filled in."""
    asked = []
    for side, template_hash in hashes.items():
        for name, query in counters.items():
            if template_hash:
                bound = query.replace("$namespace", namespace).replace("$hash", template_hash)
                marked = f'label_replace({_paren(bound)}, "{SIDE}", "{side}", "", "")'
                asked.append(f'label_replace({marked}, "{COUNTER}", "{name}", "", "")')
    return " or ".join(asked)


def samples(answer: Answer) -> Mapping[str, Sample]:
    """What an answer says, by side; a side of which no request was ever counted is not in it."""
    found: dict[str, dict[str, list[tuple[Mapping[str, str], float]]]] = {}
    for labels, value in answer:
        if math.isfinite(value):
            side = found.setdefault(labels.get(SIDE, ""), {})
            side.setdefault(labels.get(COUNTER, ""), []).append((labels, value))
    return {side: _sample(one) for side, one in found.items() if one.get(REQUESTS)}


def _sample(found: Mapping[str, list[tuple[Mapping[str, str], float]]]) -> Sample:
    scraped = [value for _, value in found.get(SCRAPED, ())]
    return Sample(
        requests=round(sum(value for _, value in found[REQUESTS])),
        errors=round(sum(value for _, value in found.get(ERRORS, ()))),
        buckets=_histogram(found.get(BUCKETS, ())),
        memory={_process(labels): value for labels, value in found.get(MEMORY, ())},
        scraped_s=max(scraped, default=None),
    )


def _histogram(found: Iterable[tuple[Mapping[str, str], float]]) -> Mapping[float, int]:
    """Requests by edge; empty without `+Inf`, and where counts fall from an edge to the next."""
    counts: dict[float, int] = {}
    for labels, value in found:
        try:
            edge = float(labels.get(_EDGE, ""))
        except ValueError:
            continue
        counts[edge] = counts.get(edge, 0) + round(value)
    ordered = [counts[edge] for edge in sorted(counts)]
    return counts if math.inf in counts and ordered == sorted(ordered) else {}


def _process(labels: Mapping[str, str]) -> str:
    return "/".join(
        value for name, value in sorted(labels.items()) if name not in {SIDE, COUNTER, "__name__"}
    )


def _paren(query: str) -> str:
    return f"({query.strip()})"
