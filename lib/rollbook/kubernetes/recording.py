"""What is kept of a request to the API server and of its answer. Pure, but for the keeping."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from rollbook.evidence.answers import NO_ANSWER, Asked, Records, no_answer

API_SERVER = "kube-apiserver"
LAST_LINES = 5
LONGEST_TEXT = 2_000
_WHERE_IN_TIME = ("resourceVersion", "timeoutSeconds", "allowWatchBookmarks")
"""Parameters of a watch that say from where on and how long it listens: it is the same question anyway."""


class Recording:
    """Keeps requests to one API server; keeps nothing without `records`."""

    def __init__(self, records: Records | None) -> None:
        self._records = records

    def answered(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object | None,
        status: int,
        content: bytes,
    ) -> None:
        """Keep an answer. A write is kept each time, a read when its answer is another than before."""
        if self._records is not None:
            asked = _asked(method, path, query, body)
            told = answer_of(path, content) if status < 400 else _json_or_text(content)
            self._records.record(asked, str(status), told, always=method != "GET")

    def unanswered(
        self, method: str, path: str, query: Mapping[str, str] | None, body: object | None, error: Exception
    ) -> None:
        """Keep that there was no answer."""
        if self._records is not None:
            asked = _asked(method, path, query, body)
            self._records.record(asked, NO_ANSWER, no_answer(error), always=method != "GET")

    def event(self, path: str, query: Mapping[str, str], event: Mapping[str, Any]) -> None:
        """Keep one event of a watch."""
        if self._records is not None:
            self._records.record(_asked("GET", path, query, None), "200", event)


def _asked(method: str, path: str, query: Mapping[str, str] | None, body: object | None) -> Asked:
    parameters: dict[str, Any] = dict(query or {})
    if parameters.get("watch"):
        parameters = {key: one for key, one in parameters.items() if key not in _WHERE_IN_TIME}
    if body is not None:
        parameters["body"] = body
    return Asked(API_SERVER, f"{method} {path}", parameters)


def answer_of(path: str, content: bytes) -> Any:
    """What is kept of a good answer: JSON whole; of a log, and of the list of all kinds, an extract."""
    if path.endswith("/log"):
        lines = content.decode(errors="replace").splitlines()
        last = [line[:LONGEST_TEXT] for line in lines[-LAST_LINES:]]
        return {**_digest(content), "lines": len(lines), "last_lines": last}
    told = _json_or_text(content)
    if isinstance(told, Mapping) and told.get("kind") == "APIGroupDiscoveryList":
        return {**_digest(content), "kinds": sorted(_kinds(told))}
    return told


def _json_or_text(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content[:LONGEST_TEXT].decode(errors="replace")


def _digest(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _kinds(discovered: Mapping[str, Any]) -> Iterable[str]:
    for group in discovered.get("items") or ():
        name = (group.get("metadata") or {}).get("name", "")
        for version in group.get("versions") or ():
            prefix = f"{name}/{version['version']}" if name else version["version"]
            for resource in version.get("resources") or ():
                yield f"{prefix} {(resource.get('responseKind') or {}).get('kind', resource.get('resource'))}"
