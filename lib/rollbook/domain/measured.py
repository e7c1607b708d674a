"""What Prometheus tells: series, loaded rules, scrape targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """One time series: its labels and points `(seconds since the epoch, value)`, oldest first."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class RuleGroup:
    """A rule group that Prometheus has loaded; `problems` lists rules whose last evaluation failed."""

    name: str
    file: str
    alerts: tuple[str, ...]
    recordings: tuple[str, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScrapeTarget:
    """A target that Prometheus scrapes: `health` is `up`, `down` or `unknown`."""

    job: str
    address: str
    health: str
    last_error: str = ""
