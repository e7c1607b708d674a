"""Alerts that somebody received, and panels of dashboards that had data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollbook.coverage.lookup import (
    Bundle,
    NoDataError,
    NotExercisedError,
    failed,
    few,
    journal,
    proved,
)
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import ALERTMANAGER, PROMETHEUS, answers, project_paths, project_yaml
from rollbook.domain.dashboards import MAY_BE_EMPTY

RECEIVER = "alert-receiver"


@check("alerts.fire")
def alerts_fire(bundle: Bundle, alert: str = "") -> Finding:
    """An alert (this one) was provoked and fired: Prometheus said so, and whoever is told of alerts had it.

    A run that provokes one writes a step `wait for alert` with `data.alert` into its journal. Looks for
    answers of Prometheus to `alerts`. Where the receiver or Alertmanager was asked, it must have had it; what
    the step says to be held back (`data.held_back_by`) was told to nobody, and is not looked for.
    """
    tried, log = _provoked(bundle)
    wanted = {alert} if alert else tried
    fired = [
        (str(one["labels"]["alertname"]), ref)
        for answer, ref in answers(bundle, PROMETHEUS, "alerts", status="200")
        for one in answer.answer["data"].get("alerts") or ()
        if one.get("state") == "firing"
    ]
    good = [(name, ref) for name, ref in fired if not wanted or name in wanted]
    if good:
        name, ref = good[-1]
        who, asked, had = _told(bundle, name)
        if had is None and asked is not None:
            return failed(f"{name} fired, and {who} never had it.", ref, asked)
        if had is not None:
            return proved(f"{name} fired, and {who} had it.", ref, had)
        return proved(f"{name} fired.", ref)
    asked_for = answers(bundle, PROMETHEUS, "alerts")
    if wanted & tried and asked_for:
        return failed(f"{', '.join(sorted(wanted))} was provoked and did not fire.", asked_for[-1][1], *log)
    raise NotExercisedError(f"This run did not provoke {alert or 'an alert'}.")


def _provoked(bundle: Bundle) -> tuple[set[str], tuple[EvidenceRef, ...]]:
    entries, ref = journal(bundle)
    waited = [entry for entry in entries if entry.name == "wait for alert"]
    held = {str(entry.data["alert"]) for entry in waited if entry.data.get("held_back_by")}
    return {str(entry.data["alert"]) for entry in waited} - held, (ref,)


def _told(bundle: Bundle, alert: str) -> tuple[str, EvidenceRef | None, EvidenceRef | None]:
    """Who is told of alerts, the record of what it was asked last, and the one of its having had this one."""
    for who, of, call in (
        ("the receiver", RECEIVER, "notifications"),
        ("Alertmanager", ALERTMANAGER, "alerts"),
    ):
        asked = answers(bundle, of, call, status="200")
        if asked:
            had = [ref for answer, ref in asked if alert in set(_names(answer.answer))]
            return who, asked[-1][1], had[-1] if had else None
    return "", None, None


def _names(answer: Any) -> Iterator[str]:
    """Names of the alerts of the receiver's answer, or of those in Alertmanager's list that it tells."""
    if isinstance(answer, list):
        told = [one for one in answer if (one.get("status") or {}).get("state") != "suppressed"]
        yield from (str(one["labels"].get("alertname")) for one in told)
        return
    for kept in answer.get("notifications") or ():
        for one in kept["notification"].get("alerts") or ():
            if one.get("status") == "firing":
                yield str(one["labels"].get("alertname"))


@check("dashboards.panels_have_data")
def panels_have_data(bundle: Bundle, path: str = "monitoring/dashboards/*.json") -> Finding:
    """Every panel of the project's dashboards that has a query was asked, and had data or says why not.

    Looks for answers whose parameters name `dashboard` (its uid) and `panel` (its id): of Prometheus with
    samples in `data.result`, or of Grafana with values in `results.*.frames`. A panel may have none when its
    description says why, after the words *May be empty*; it must have been asked all the same.
    """
    asked = [
        (answer, ref)
        for of in (PROMETHEUS, "grafana")
        for answer, ref in answers(bundle, of, status="200")
        if "dashboard" in answer.asked.parameters
    ]
    if not asked:
        raise NotExercisedError("No panel of a dashboard was asked for data in this run.")
    looked_at = {_panel(answer.asked.parameters) for answer, _ in asked}
    filled = {_panel(answer.asked.parameters) for answer, _ in asked if _has_data(answer.answer)}
    evidence = list(few([ref for _, ref in asked]))
    wanted: dict[tuple[str, str], str] = {}
    explained: set[tuple[str, str]] = set()
    for name in project_paths(bundle, path)[0]:
        board, refs = project_yaml(bundle, name)
        evidence.extend(refs)
        for panel in board["panels"]:
            if panel.get("targets"):
                key = (str(board["uid"]), str(panel["id"]))
                wanted[key] = str(panel.get("title") or panel["id"])
                if MAY_BE_EMPTY in str(panel.get("description") or ""):
                    explained.add(key)
    if not wanted:
        raise NoDataError(f"The project has no dashboard with a query at {path}.", tuple(evidence))
    empty = wanted.keys() - filled
    bad = sorted(f"{wanted[key]} of {key[0]}" for key in empty if key not in explained & looked_at)
    if bad:
        return failed(f"{len(bad)} of {len(wanted)} panels had no data: {', '.join(bad)}.", *evidence)
    if empty:
        told = ", ".join(sorted(wanted[key] for key in empty))
        had = len(wanted) - len(empty)
        return proved(
            f"{had} of {len(wanted)} panels had data; the others say why they may be empty: {told}.",
            *evidence,
        )
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
