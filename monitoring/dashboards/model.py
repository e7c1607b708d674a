"""What a dashboard is, before it is Grafana's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Query:
    """One PromQL query, and the name of each of its series in Grafana's `{{label}}` form."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Limit:
    """From `value` on, in the panel's unit, a series is shown in `color`."""

    value: float
    color: Literal["green", "yellow", "orange", "red"]


@dataclass(frozen=True)
class Panel:
    """One panel. `unit` is an id of Grafana's: `short`, `reqps`, `percentunit` (0-1), `s`, `bytes`, `d`."""

    title: str
    unit: str
    description: str
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat"] = "timeseries"
    limits: tuple[Limit, ...] = ()
    base: Literal["green", "red"] = "green"
    """Color below the first limit: red where more is better."""
    empty: str = ""
    """Why it has no data at times; empty where it always has some."""
    runbooks: tuple[str, ...] = ()
    """Alerts about what it shows: their runbooks are linked."""


@dataclass(frozen=True)
class Section:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Mark:
    """Moments that all panels show as annotations: when and while the query has a value above 0."""

    name: str
    expr: str
    color: str


@dataclass(frozen=True)
class Board:
    """One dashboard; `uid` is its address in Grafana and, without the prefix, the name of its file."""

    uid: str
    title: str
    description: str
    sections: tuple[Section, ...]
    marks: tuple[Mark, ...] = ()
    variables: tuple[tuple[str, str, str], ...] = ()
    """Name, query and first value of each."""
