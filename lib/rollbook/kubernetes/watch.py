"""A watch on one object that survives broken connections and expired resource versions."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from rollbook.errors import EnvironmentFailedError
from rollbook.kubernetes.rest import ApiServer
from rollbook.ports import Manifest

SILENCE_S = 20.0
"""A stream that says nothing for so long is opened again: the peer may be gone without a word."""
RECONNECT_S = 0.2


def watch_object(
    api: ApiServer,
    collection: str,
    name: str,
    *,
    timeout_s: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Manifest]:
    """Yield the object now (if it is there) and at every change, for `timeout_s` seconds.

    `collection` is the path of its kind in its namespace. An API server that cannot be reached is an
    EnvironmentFailedError; a stream that breaks is opened again from a fresh look.
    """
    deadline = monotonic() + timeout_s
    selector = {"fieldSelector": f"metadata.name={name}"}
    seen = ""
    while (left := deadline - monotonic()) > 0:
        listed = api.request("GET", collection, query=selector)
        for item in listed.get("items", []):
            if item["metadata"].get("resourceVersion") != seen:
                seen = item["metadata"].get("resourceVersion", "")
                yield item
        query = {
            **selector,
            "watch": "true",
            "resourceVersion": listed["metadata"]["resourceVersion"],
            "timeoutSeconds": str(max(1, math.ceil(left))),
        }
        for item in _changes(api, collection, query, deadline, monotonic):
            seen = item["metadata"].get("resourceVersion", "")
            yield item
        if deadline - monotonic() > 0:
            time.sleep(min(RECONNECT_S, max(0.0, deadline - monotonic())))


def _changes(
    api: ApiServer,
    collection: str,
    query: dict[str, str],
    deadline: float,
    monotonic: Callable[[], float],
) -> Iterator[Manifest]:
    """Objects of one stream; ends when it breaks, expires (410), falls silent, or the time is up."""
    left = deadline - monotonic()
    if left <= 0:
        return
    # A refusal to open the stream is met again, and told, by the look that follows.
    with (
        suppress(EnvironmentFailedError),
        api.lines(collection, query=query, read_timeout_s=min(left, SILENCE_S)) as lines,
    ):
        for line in lines:
            event = _event_of(line)
            if event is not None:
                api.recording.event(collection, query, event)
            if event is None or event.get("type") == "ERROR":
                return
            if event.get("type") in {"ADDED", "MODIFIED"}:
                yield event["object"]
            if monotonic() >= deadline:
                return


def _event_of(line: bytes) -> dict[str, Any] | None:
    """One watch event; None for a line that was cut off."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
