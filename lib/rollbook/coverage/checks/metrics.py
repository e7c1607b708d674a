"""What Prometheus and Alertmanager answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollbook.coverage.checks.canaries import ANY_CANARY
from rollbook.coverage.lookup import (
    Bundle,
    NoDataError,
    failed,
    json_of,
    judged,
    paths,
    proved,
)
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import ALERTMANAGER, PROMETHEUS, answers, project_paths, project_yaml, required


@check("prometheus.has_samples", needs=ANY_CANARY)
def has_samples(bundle: Bundle, signal: str = "") -> Finding:
    """Prometheus had samples of the service while users were on it (of `signal`, or of every kept one)."""
    counts: dict[str, int] = {}
    evidence: list[EvidenceRef] = []
    for path in paths(bundle, f"metrics/*/{signal or '*'}.*.json"):
        kept, ref = json_of(bundle, path, "a range query and its answer")
        name = str(kept["signal"])
        counts[name] = counts.get(name, 0) + sum(len(one["points"]) for one in kept["series"])
        evidence.append(ref)
    if not counts:
        raise NoDataError(f"No range query{f' of {signal}' if signal else ''} was kept.")
    told = ", ".join(f"{count} of {name}" for name, count in sorted(counts.items()))
    return judged(all(counts.values()), f"Prometheus had samples: {told}.", *evidence)


@check("prometheus.rules_loaded")
def rules_loaded(bundle: Bundle, alert: str = "") -> Finding:
    """Prometheus has loaded alerts and recording rules (with `alert` among them), and evaluates each well."""
    found = required(bundle, PROMETHEUS, "rules", status="200", told="asked Prometheus for its rules")
    answer, ref = found[-1]
    rules = list(_rules(answer.answer["data"]))
    alerts = {rule["name"] for rule in rules if rule.get("type") == "alerting"}
    recorded = {rule["name"] for rule in rules if rule.get("type") == "recording"}
    sick = [rule["name"] for rule in rules if rule.get("lastError") or rule.get("health") == "err"]
    told = f"{len(alerts)} alerts and {len(recorded)} recording rules are loaded"
    if alert and alert not in alerts:
        return failed(f"{told}, but no alert {alert}.", ref)
    if sick:
        return failed(f"{told}; {', '.join(sorted(sick))} cannot be evaluated.", ref)
    return judged(bool(alerts and recorded), f"{told}, all evaluated without an error.", ref)


def _rules(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for group in data.get("groups") or ():
        yield from group.get("rules") or ()


@check("monitoring.rules_declared")
def rules_declared(bundle: Bundle, alert: str = "", path: str = "monitoring/rules/*.yaml") -> Finding:
    """The project's files declare alerts and recording rules, and Prometheus loaded every alert of them."""
    files, listed = project_paths(bundle, path)
    evidence = [listed]
    alerts: set[str] = set()
    recorded: set[str] = set()
    for name in files:
        declared, refs = project_yaml(bundle, name)
        evidence.extend(refs)
        for rule in _rules(declared):
            (alerts if "alert" in rule else recorded).add(str(rule.get("alert") or rule.get("record")))
    if not alerts or not recorded or (alert and alert not in alerts):
        return failed(
            f"{len(files)} files at {path} declare {len(alerts)} alerts{_but(alert, alerts)}.", *evidence
        )
    asked = answers(bundle, PROMETHEUS, "rules", status="200")
    told = f"{len(alerts)} alerts and {len(recorded)} recording rules are declared"
    if not asked:
        return proved(f"{told}; this run did not ask which are loaded.", *evidence)
    evidence.append(asked[-1][1])
    missing = alerts - {rule["name"] for rule in _rules(asked[-1][0].answer["data"])}
    if missing:
        return failed(f"{told}, and Prometheus has not loaded {', '.join(sorted(missing))}.", *evidence)
    return proved(f"{told}, and Prometheus has loaded all of these alerts.", *evidence)


def _but(alert: str, alerts: set[str]) -> str:
    return f", and not {alert}" if alert and alert not in alerts else ""


@check("alertmanager.answers")
def alertmanager_answers(bundle: Bundle) -> Finding:
    """Alertmanager told its version and was ready to take alerts."""
    found = required(bundle, ALERTMANAGER, "status", told="asked Alertmanager for its status")
    ready = answers(bundle, ALERTMANAGER, "-/ready")
    answer, ref = found[-1]
    evidence = (ref, *(one for _, one in ready[-1:]))
    if answer.status != "200" or (ready and ready[-1][0].status != "200"):
        return failed(f"Alertmanager answered {answer.status}, and is not ready.", *evidence)
    return proved(f"Alertmanager {answer.answer['versionInfo']['version']} answered and is ready.", *evidence)
