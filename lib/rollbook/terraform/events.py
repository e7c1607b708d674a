"""Reads the lines that Terraform prints with -json: progress, and diagnostics.

https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
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


_BEGINS = {"refresh_start", "apply_start"}
_ENDS = {"refresh_complete", "apply_complete", "apply_errored"}


@dataclass(frozen=True)
class UnderWay:
    """Something that had begun and not ended: a resource, what is done to it, for how many seconds."""

    address: str
    action: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.address} ({self.action} for {self.seconds:.0f} s)"


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


def under_way(lines: str) -> tuple[UnderWay, ...]:
    """What had begun and not ended at the last line, the longest first."""
    began: dict[str, tuple[str, datetime]] = {}
    last: datetime | None = None
    for told in filter(None, map(_told, lines.splitlines())):
        last = _when(told) or last
        kind, hook = str(told.get("type", "")), told.get("hook") or {}
        address = str((hook.get("resource") or {}).get("addr", ""))
        if kind in _BEGINS and last is not None:
            began[address] = (str(hook.get("action") or "read"), last)
        elif kind in _ENDS:
            began.pop(address, None)
    found = (
        UnderWay(address, action, (last - since).total_seconds() if last else 0.0)
        for address, (action, since) in began.items()
    )
    return tuple(sorted(found, key=lambda one: (-one.seconds, one.address)))


def _when(told: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(told.get("@timestamp", "")))
    except ValueError:
        return None


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
