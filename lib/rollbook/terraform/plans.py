"""Reads plans and states, as `terraform show -json` gives them.

https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rollbook.terraform.masking import MASK, hide
from rollbook.terraform.port import Action, AttributeChange, Plan, Resource, ResourceChange

LONGEST = 60
"""Characters of a value that a table shows."""
LATER = "(known after apply)"
_ACTIONS = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("delete",): Action.DESTROY,
    ("forget",): Action.FORGET,
}
_REASONS = {
    "replace_because_tainted": "It is marked as broken, since it was not made completely",
    "replace_because_cannot_update": "This cannot be changed without making it anew",
    "replace_by_request": "Somebody asked for it to be made anew",
    "replace_by_triggers": "Something that it has to follow was replaced",
    "delete_because_no_resource_config": "It is no longer in the code",
    "delete_because_wrong_repetition": "The code makes it in another number",
    "delete_because_count_index": "The code makes fewer of it",
    "delete_because_each_key": "The code no longer has this key",
    "delete_because_no_module": "Its module is no longer in the code",
    "delete_because_no_move_target": "It was moved to what does not exist",
}


def parsed(document: Mapping[str, Any], file: Path, *, destroy: bool = False, emulated: bool = False) -> Plan:
    """The plan in what `terraform show -json FILE` printed."""
    managed = [one for one in document.get("resource_changes") or () if one["mode"] == "managed"]
    changes = [change for one in managed if (change := _change(one)) is not None]

    def doing(*actions: Action) -> tuple[ResourceChange, ...]:
        return tuple(one for one in changes if one.action in actions)

    touched = {one.address for one in changes}
    drifted = (_change(one) for one in document.get("resource_drift") or () if one["mode"] == "managed")
    return Plan(
        file=file,
        adds=doing(Action.CREATE),
        changes=doing(Action.UPDATE, Action.FORGET),
        replaces=doing(Action.REPLACE),
        destroys=doing(Action.DESTROY),
        unchanged=len(managed) - len(changes),
        resources=resources(document.get("planned_values") or {}),
        # What a refresh learned without any consequence is no news: after each apply there is a lot of it.
        outside=tuple(
            one
            for one in drifted
            if one is not None
            and (one.action is Action.DESTROY or (one.differing and one.address in touched))
        ),
        outputs=tuple(
            sorted(
                name
                for name, one in (document.get("output_changes") or {}).items()
                if one["actions"] != ["no-op"]
            )
        ),
        destroy=destroy,
        emulated=emulated,
    )


def resources(values: Mapping[str, Any]) -> tuple[Resource, ...]:
    """Managed resources in `planned_values` of a plan or `values` of a state."""
    return tuple(
        Resource(one["address"], one["type"], hide(one.get("values") or {}, one.get("sensitive_values")))
        for one in _within(values.get("root_module") or {})
        if one["mode"] == "managed"
    )


def _within(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources") or ()
    for child in module.get("child_modules") or ():
        yield from _within(child)


def _change(one: Mapping[str, Any]) -> ResourceChange | None:
    """What is done to a resource; None when it is only looked at."""
    change = one["change"]
    action = _ACTIONS.get(tuple(change["actions"]))
    if action is None:
        return None
    address = f"{one['address']} (deposed {one['deposed']})" if one.get("deposed") else str(one["address"])
    return ResourceChange(
        address=address,
        kind=str(one["type"]),
        action=action,
        why=_why(one),
        attributes=_attributes(change) if action in {Action.UPDATE, Action.REPLACE} else (),
    )


def _why(one: Mapping[str, Any]) -> str:
    reason = str(one.get("action_reason") or "")
    told = _REASONS.get(reason, reason.replace("_", " "))
    # A path names an attribute, then places within it.
    paths = dict.fromkeys(str(path[0]) for path in one["change"].get("replace_paths") or () if path)
    return f"{told}: {', '.join(paths)}" if told and paths else told


def _attributes(change: Mapping[str, Any]) -> tuple[AttributeChange, ...]:
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    shown_before = hide(before, change.get("before_sensitive"))
    shown_after = hide(after, change.get("after_sensitive"))
    if not isinstance(shown_before, Mapping) or not isinstance(shown_after, Mapping):
        return (AttributeChange("(all)", MASK, MASK),)
    found = []
    for name in sorted({*before, *after, *(key for key, later in unknown.items() if later is True)}):
        later = unknown.get(name) is True
        if later or _plain(before.get(name)) != _plain(after.get(name)):
            told = LATER if later else _text(shown_after.get(name))
            found.append(AttributeChange(name, _text(shown_before.get(name)), told, known=not later))
    return tuple(found)


def _plain(value: Any) -> Any:
    """A value in which absent, null, false and empty are one: providers do not tell them apart either."""
    if isinstance(value, Mapping):
        return {key: plain for key, one in value.items() if (plain := _plain(one)) is not None} or None
    if isinstance(value, list):
        return [_plain(one) for one in value] or None
    return value or None


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    text = " ".join(text.split()) or '""'
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
