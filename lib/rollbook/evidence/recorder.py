"""Writes down what the world answered, call by call, while a phase runs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.answers import SCHEMA, Asked, path_of
from rollbook.evidence.folder import RunFolder, write_atomically
from rollbook.evidence.manifests import without_secrets
from rollbook.ports import Clock

LARGEST_BYTES = 1_000_000
"""An answer that is longer as JSON is kept as its size and digest alone."""


def _outside() -> int | None:
    """No notebook, no cell."""
    return None


@dataclass(frozen=True)
class _Known:
    """The last answer to a question: a digest of it as it came, and the record that holds it."""

    digest: str
    id: str


class Recorder:
    """Records of one phase of a run. May be used by several threads.

    `cell` tells which cell of a notebook runs now. What a disk refuses is not raised where the world is
    asked, for the way back to stable asks too: `raise_failure` raises it, and the journal calls that.
    """

    def __init__(
        self, folder: RunFolder, clock: Clock, phase: str, cell: Callable[[], int | None] = _outside
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._phase = folder.scrubber.text(phase)
        self._cell = cell
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._asked: dict[str, int] = {}
        self._count = 0
        self._failure: EnvironmentFailedError | None = None
        self._closed = False
        self._on_more: Callable[[], None] | None = None
        self._mine = threading.local()

    def record(
        self, asked: Asked, status: str, answer: Any, at: datetime | None = None, *, always: bool = False
    ) -> str:
        """Keep an answer, and return the id of its record. Never raises for the disk (see `raise_failure`).

        An answer that equals the last one to the same question is not written again: the id is that of the
        earlier record. With `always` it is: each write and each probe counts. `at` is when it came, now
        by default. Without bookkeeping of the API server (managedFields) and values of Secrets; other known
        secrets are taken out as everywhere. What is not kept after `close` has an empty id.
        """
        question = _canonical([asked.of, asked.call, asked.parameters])
        kept = _kept(answer)
        digest = hashlib.sha256(_canonical([status, _lasting(kept)])).hexdigest()
        key = hashlib.sha256(question).hexdigest()
        with self._lock:
            known = self._known.get(key)
            if self._closed and not self._reopened():
                return ""
            if always or known is None or known.digest != digest:
                known = _Known(digest, self._write(asked, status, kept, at or self._clock.now()))
                self._known[key] = known
            self._count += 1
            self._asked[known.id] = self._count
        self._mine.last = known.id
        return known.id

    def mark(self) -> int:
        """A moment, for `since`."""
        return self._count

    def since(self, mark: int) -> tuple[str, ...]:
        """Ids of what was asked since a mark, in the order of being asked last; each once."""
        with self._lock:
            later = [(count, one) for one, count in self._asked.items() if count > mark]
        return tuple(one for _, one in sorted(later))

    def last(self) -> str:
        """Id of what the calling thread asked last; empty when it asked nothing."""
        return str(getattr(self._mine, "last", ""))

    def raise_failure(self) -> None:
        """EnvironmentFailedError when a record could not be written since the last call."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self, on_more: Callable[[], None] | None = None) -> None:
        """Keep nothing more: the run is about to be sealed, and a thread may still listen to the cluster.

        With `on_more`, the main thread opens it again by asking more (a person goes on in a notebook after a
        cell that failed); `on_more` is called then.
        """
        with self._lock:
            self._closed, self._on_more = True, on_more

    def _reopened(self) -> bool:
        if self._on_more is None or threading.current_thread() is not threading.main_thread():
            return False
        try:
            self._on_more()
        except EnvironmentFailedError as error:
            self._failure = error
        self._closed, self._on_more = False, None
        return True

    def _write(self, asked: Asked, status: str, answer: Any, at: datetime) -> str:
        record = {
            "v": SCHEMA,
            "phase": self._phase,
            "cell": self._cell(),
            "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
            "of": asked.of,
            "call": asked.call,
            "parameters": _kept(asked.parameters),
            "status": status,
            "answer": answer,
        }
        content = _canonical(self._folder.scrubber.json(record)) + b"\n"
        name = hashlib.sha256(content).hexdigest()
        try:
            write_atomically(self._folder.path / path_of(name), content)
        except EnvironmentFailedError as error:
            self._failure = error
        return name


def _canonical(value: Any) -> bytes:
    """JSON in one spelling: sorted keys, no blanks, ASCII (so that half a surrogate pair can be kept too)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()


def _kept(answer: Any) -> Any:
    """What is kept of an answer or a body: no bookkeeping, no secrets, and not without bounds."""
    if not isinstance(answer, Mapping | list | tuple):
        return answer
    clean = without_secrets(_without_bookkeeping(answer))
    content = _canonical(clean)
    if len(content) <= LARGEST_BYTES:
        return clean
    return {"not_kept": "too long", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _named(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Kubernetes list whose items say what they are: the API server leaves kind and version out of them."""
    kind = answer.get("kind")
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(answer.get("items"), list):
        return answer
    whose = {"kind": kind.removesuffix("List"), "apiVersion": answer.get("apiVersion", "")}
    items = [{**whose, **item} if isinstance(item, Mapping) else item for item in answer["items"]]
    return {**answer, "items": items}


def _without_bookkeeping(answer: Any) -> Any:
    if isinstance(answer, list | tuple):
        return [_without_bookkeeping(one) for one in answer]
    if not isinstance(answer, Mapping):
        return answer
    clean = dict(_named(answer))
    metadata = clean.get("metadata")
    if isinstance(metadata, Mapping) and "managedFields" in metadata:
        clean["metadata"] = {key: one for key, one in metadata.items() if key != "managedFields"}
    for key in ("items", "object", "body"):
        if isinstance(clean.get(key), Mapping | list):
            clean[key] = _without_bookkeeping(clean[key])
    return clean


def _lasting(answer: Any) -> Any:
    """An answer without what always differs: the resourceVersion of a list is that of the whole cluster."""
    if not isinstance(answer, Mapping) or "items" not in answer:
        return answer
    return {key: one for key, one in answer.items() if key != "metadata"}
