"""What the sandbox's Alertmanager loads: the service's own file, sooner, and told to a receiver of ours.

Rules and their `for` are never changed. What is, is the data of this module, and `disclosure` says it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rollbook.errors import BadInputError
from rollbook.sandbox.files import write_private

RECEIVER = "alert-receiver"
"""Name of the component and of its port."""

SOONER: Mapping[str, str] = {"group_wait": "1s", "group_interval": "5s"}
"""Waits of every route in the sandbox; `repeat_interval` is the file's."""

DEFAULT: Mapping[str, Any] = {"route": {"receiver": RECEIVER}, "receivers": [{"name": RECEIVER}]}
"""For a service that brings no configuration of Alertmanager."""

NOBODY = "nobody"
"""A receiver of this name is meant to send nowhere."""


def disclosure() -> str:
    """What a reader of a report should know about the alerts of a sandbox."""
    waits = " and ".join(f"{name} {value}" for name, value in SOONER.items())
    return (
        "Alerts are sent to a webhook receiver of this machine, and nobody is paged; Alertmanager waits "
        f"for less time than elsewhere ({waits}). Rules and how long they wait are those of every target."
    )


def configuration(given: Path | None, places: Path, receiver_url: str) -> dict[str, Any]:
    """Alertmanager's configuration: that of the file, or the default one.

    Receivers that `receivers.yaml` beside the file lets send by `url_file` get a file in the folder `places`
    with the URL of the receiver of this machine. Without `receivers.yaml` those that would send nowhere do,
    but for `nobody`. With an empty `receiver_url` (a sandbox without a receiver) nothing sends. BadInputError
    when a file is no YAML.
    """
    own: dict[str, Any] = copy.deepcopy(dict(DEFAULT))
    config = _load(given) if given is not None and given.is_file() else own
    if not isinstance(config, dict):
        raise BadInputError(f"{given} is no configuration of Alertmanager", why="it is no mapping")
    if not receiver_url:
        return config
    for route in _routes(config.get("route") or {}):
        route.update({name: value for name, value in SOONER.items() if name in route})
    config["route"] = {**(config.get("route") or {}), **SOONER}
    receivers = _receivers(given, config)
    for one in receivers:
        for hook in one.get("webhook_configs") or ():
            if "url_file" in hook:
                hook["url_file"] = str(_place(places, one["name"], receiver_url))
    return {**config, "receivers": receivers}


def _receivers(given: Path | None, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those of `receivers.yaml` beside the file; else its own, those without a place with one of ours."""
    beside = given.with_name("receivers.yaml") if given is not None else None
    if beside is not None and beside.is_file():
        return list(_load(beside)["receivers"])
    ours = [{"url_file": "", "send_resolved": True}]
    return [
        {**one, "webhook_configs": ours} if set(one) == {"name"} and one["name"] != NOBODY else one
        for one in copy.deepcopy(config.get("receivers") or [])
    ]


def _place(places: Path, name: str, receiver_url: str) -> Path:
    """A file with the URL that a receiver sends to."""
    places.mkdir(mode=0o700, exist_ok=True)
    path = places / f"{name}-url"
    write_private(path, f"{receiver_url}/{name}".encode())
    return path


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for child in route.get("routes") or ():
        yield from _routes(child)


def _load(path: Path) -> Any:
    try:
        return YAML(typ="safe").load(path.read_text("utf-8"))
    except YAMLError as error:
        raise BadInputError(f"{path} is no YAML", why=str(error)) from error
