"""Single observations that a metrics system keeps beside its counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Exemplar:
    """One observation that Prometheus keeps beside a series.

    `series` are the labels of the series, `labels` those of the observation, such as a request's id; `value`
    is in the series' unit, `at_s` in seconds since the epoch.
    """

    series: Mapping[str, str]
    labels: Mapping[str, str]
    value: float
    at_s: float
