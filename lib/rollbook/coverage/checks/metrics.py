"""What Prometheus and Alertmanager answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollbook.coverage.checks.canaries import ANY_CANARY
from rollbook.coverage.lookup import (
    Bundle,
    NoDataError,
    NotExercisedError,
    failed,
    few,
    journal,
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


@check("alerts.fire")
def alerts_fire(bundle: Bundle, alert: str = "") -> Finding:
    """An alert (this one) was provoked and fired: Prometheus said so, and Alertmanager had it.

    A run that provokes one writes a step `wait for alert` with `data.alert` into its journal. Looks for
    answers of Prometheus to `alerts`; where Alertmanager was asked for `alerts` as well, it must have had it.
    """
    tried, log = _provoked(bundle)
    wanted = {alert} if alert else tried
    fired = [
        (str(one["labels"]["alertname"]), ref)
        for answer, ref in answers(bundle, PROMETHEUS, "alerts", status="200")
        for one in answer.answer["data"].get("alerts") or ()
        if one.get("state") == "firing"
    ]
    held = answers(bundle, ALERTMANAGER, "alerts", status="200")
    good = [(name, ref) for name, ref in fired if not wanted or name in wanted]
    if good:
        name, ref = good[-1]
        evidence = [ref]
        if held:
            evidence.append(held[-1][1])
            if not any(one["labels"].get("alertname") == name for answer, _ in held for one in answer.answer):
                return failed(f"{name} fired, and Alertmanager never had it.", *evidence)
        return proved(f"{name} fired{', and Alertmanager had it' if held else ''}.", *evidence)
    asked = answers(bundle, PROMETHEUS, "alerts")
    if wanted & tried and asked:
        return failed(f"{', '.join(sorted(wanted))} was provoked and did not fire.", asked[-1][1], *log)
    raise NotExercisedError(f"This run did not provoke {alert or 'an alert'}.")


def _provoked(bundle: Bundle) -> tuple[set[str], tuple[EvidenceRef, ...]]:
    entries, ref = journal(bundle)
    return {str(entry.data["alert"]) for entry in entries if entry.name == "wait for alert"}, (ref,)


@check("dashboards.panels_have_data")
def panels_have_data(bundle: Bundle, path: str = "monitoring/dashboards/*.json") -> Finding:
    """Every panel of the project's dashboards that has a query was asked and had data.

    Looks for answers whose parameters name `dashboard` (its uid) and `panel` (its id): of Prometheus with
    samples in `data.result`, or of Grafana with values in `results.*.frames`.
    """
    asked = [
        (answer, ref)
        for of in (PROMETHEUS, "grafana")
        for answer, ref in answers(bundle, of, status="200")
        if "dashboard" in answer.asked.parameters
    ]
    if not asked:
        raise NotExercisedError("No panel of a dashboard was asked for data in this run.")
    filled = {_panel(answer.asked.parameters) for answer, _ in asked if _has_data(answer.answer)}
    evidence = list(few([ref for _, ref in asked]))
    wanted: set[tuple[str, str]] = set()
    for name in project_paths(bundle, path)[0]:
        board, refs = project_yaml(bundle, name)
        evidence.extend(refs)
        wanted |= {(str(board["uid"]), str(panel["id"])) for panel in board["panels"] if panel.get("targets")}
    if not wanted:
        raise NoDataError(f"The project has no dashboard with a query at {path}.", tuple(evidence))
    empty = sorted(wanted - filled)
    if empty:
        told = ", ".join(f"{panel} of {board}" for board, panel in empty)
        return failed(f"{len(empty)} of {len(wanted)} panels had no data: {told}.", *evidence)
    return proved(f"All {len(wanted)} panels had data.", *evidence)


def _panel(parameters: Mapping[str, Any]) -> tuple[str, str]:
    return str(parameters["dashboard"]), str(parameters.get("panel"))


def _has_data(answer: Mapping[str, Any]) -> bool:
    if "data" in answer:
        return bool(answer["data"].get("result"))
    frames = [
        frame for result in (answer.get("results") or {}).values() for frame in result.get("frames") or ()
    ]
    return any(any(values) for frame in frames for values in frame.get("data", {}).get("values") or ())
