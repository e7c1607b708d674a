"""Reads the lines that Terraform prints with -json: progress, and diagnostics.

https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rollbook.terraform.port import Event, EventKind

_HOOKS = {
    "refresh_start": EventKind.READING,
    "refresh_complete": EventKind.READING,
    "apply_start": EventKind.STARTED,
    "apply_progress": EventKind.WAITING,
    "apply_complete": EventKind.DONE,
    "apply_errored": EventKind.FAILED,
}
_OTHERS = {
    "planned_change": EventKind.PLANNED,
    "resource_drift": EventKind.PLANNED,
    "change_summary": EventKind.SUMMARY,
}


@dataclass(frozen=True)
class Diagnostic:
    """An error or a warning: what, in detail, and at which resource."""

    severity: str
    summary: str
    detail: str = ""
    address: str = ""


def event(line: str) -> Event:
    """The event in one line. What is not JSON is a note: some messages of `init` are plain text."""
    told = _told(line)
    if told is None:
        return Event(EventKind.NOTE, line.strip())
    kind, message = str(told.get("type", "")), str(told.get("@message", ""))
    if kind in _HOOKS:
        hook = told.get("hook") or {}
        action = str(hook.get("action", ""))
        return Event(
            EventKind.READING if action == "read" else _HOOKS[kind],
            message,
            address=str((hook.get("resource") or {}).get("addr", "")),
            action=action,
            seconds=float(hook.get("elapsed_seconds") or 0.0),
        )
    if kind == "diagnostic":
        found = diagnostic(told)
        severity = EventKind.ERROR if found.severity == "error" else EventKind.WARNING
        return Event(severity, message, address=found.address)
    change = told.get("change") or {}
    address = str((change.get("resource") or {}).get("addr", ""))
    return Event(_OTHERS.get(kind, EventKind.NOTE), message, address, str(change.get("action", "")))


def diagnostics(lines: str) -> tuple[Diagnostic, ...]:
    """Errors and warnings among the lines, each once."""
    found = (
        told for line in lines.splitlines() if (told := _told(line)) and told.get("type") == "diagnostic"
    )
    return tuple(dict.fromkeys(diagnostic(one) for one in found))


def complaints(lines: str, *, interrupted: bool) -> dict[str, Any]:
    """What a record keeps of a command that has no document of its own."""
    return {"diagnostics": [asdict(one) for one in diagnostics(lines)], "interrupted": interrupted}


def done(lines: str) -> dict[str, list[str]]:
    """Addresses of what was created, updated and deleted, in order of completion."""
    names = {"create": "created", "update": "updated", "delete": "deleted"}
    found: dict[str, list[str]] = {name: [] for name in names.values()}
    for one in map(event, lines.splitlines()):
        if one.kind is EventKind.DONE and one.action in names:
            found[names[one.action]].append(one.address)
    return found


def diagnostic(told: Mapping[str, Any]) -> Diagnostic:
    """The diagnostic in a line of that type. Values that its snippet of code shows are left behind."""
    one = told.get("diagnostic") or {}
    return Diagnostic(
        severity=str(one.get("severity", "")),
        summary=str(one.get("summary", "")),
        detail=str(one.get("detail", "")),
        address=str(one.get("address", "")),
    )


def _told(line: str) -> Mapping[str, Any] | None:
    if not line.lstrip().startswith("{"):
        return None
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, Mapping) else None
