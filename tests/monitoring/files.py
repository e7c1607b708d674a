"""The files of monitoring/, read as what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

PROJECT = Path(__file__).parents[2]
MONITORING = PROJECT / "monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yaml"))
RULE_TESTS = sorted((MONITORING / "tests").glob("*.yaml"))
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
ALERTMANAGER = MONITORING / "alertmanager" / "alertmanager.yaml"
RECEIVERS = MONITORING / "alertmanager" / "receivers.yaml"
FIRST_VALUES = {"$namespace": "hello", "$rollout": "hello"}

NOT_IN_THE_SANDBOX = {
    "traefik_tls_certs_not_after": "the sandbox's edge speaks plain HTTP and has no certificate",
}
"""Metrics that rules and panels use, and that cannot exist in the sandbox, with the reason."""


@dataclass(frozen=True)
class Alert:
    """One alert as its file has it."""

    name: str
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class PanelQuery:
    """One query of one panel, with the first values of the dashboard's variables."""

    board: str
    panel: str
    expr: str
    legend: str
    description: str


def yaml(path: Path) -> Any:
    """A YAML file of one document."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def rules() -> Iterator[Mapping[str, Any]]:
    """Every rule of every file."""
    for path in RULES:
        for group in yaml(path)["groups"]:
            yield from group["rules"]


def alerts() -> list[Alert]:
    """Every alert."""
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"])
        for rule in rules()
        if "alert" in rule
    ]


def records() -> dict[str, str]:
    """Queries of the recording rules by the metric that they record."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def with_first_values(text: str) -> str:
    """A query of a dashboard with the first values of its variables."""
    for name, value in FIRST_VALUES.items():
        text = text.replace(name, value)
    return text


def dashboards() -> dict[str, Any]:
    """The dashboards by the names of their files."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS}


def panel_queries() -> list[PanelQuery]:
    """Every query of every panel, and those of the annotations, which have no legend."""
    found = []
    for name, board in dashboards().items():
        found += [
            PanelQuery(
                name,
                panel["title"],
                with_first_values(target["expr"]),
                target["legendFormat"],
                panel["description"],
            )
            for panel in board["panels"]
            for target in panel.get("targets", ())
        ]
        found += [
            PanelQuery(name, f"mark {mark['name']}", with_first_values(mark["expr"]), "", "")
            for mark in board["annotations"].get("list", ())
        ]
    return found
